"""How a pretrained network is trained on labels, one method a file: ``adapt(plan, **knobs)``, from plan to plan.

It is applied when the network exists and holds the pretrained weights, before there is an objective and an optimizer:
a method freezes parameters, gives them rates of their own, or ties them to where they began. ``PAPER`` says
where it comes from, ``OWN_LOSS`` whether it sets ``plan.objective``, with which no teacher can be compared.

It is given what it has a keyword for: ``left``, what the stage before has left (``trainables.training.left.Left``);
``trained``, whether a classifier of the data's classes is part of it; ``texts``, what it has learnt of texts; ``names``
and ``synonyms`` of the classes; ``pool``, what was pretrained on; ``features``, which gives a network's pooled features
of some of the images that are trained on. ``spaces.components.OFFERED`` lists these keywords.

``FORM`` names the classifier that a method puts on the network (``trainables.counting.forms``), None for the network's
own; what decides that form are knobs of ``adapt``. Training, export, the folder that timm reads and the counts of
candidates all see the network in that form.
"""
