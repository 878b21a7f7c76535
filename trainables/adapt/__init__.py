"""How a pretrained network is trained on labels, one method a file: ``adapt(plan, **knobs)``, from plan to plan.

It is applied when the network exists and holds the pretrained weights, before there is an objective and an optimizer:
a method freezes parameters, gives them rates of their own, or ties them to where they began. ``PAPER`` says
where it comes from.
"""
