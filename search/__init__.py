"""The experiment: study, samplers, executors, family. The only package that imports the other three."""
