"""Final trainings: jobs, teachers, stored targets, soups, the folder that timm reads."""
