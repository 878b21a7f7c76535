"""What a network is trained for, one objective a file: ``objective(network, **knobs)``, an ``nn.Module``.

The module holds the network as its submodule ``network``, with whatever else is trained (heads, prototypes, mask
tokens). ``forward(batch, generator)`` is the loss of one worker's part of a batch. Views and masks are drawn from the
generator. The training loop gives all its parameters to the optimizer, keeps its state in the checkpoint and averages
its gradients over workers, so every parameter must take part in the loss or be frozen (``requires_grad_(False)``).

A file states beside it ``LABELS`` (whether it reads the targets), ``SUPPORTS`` (kinds of backbones, see a backbone's
``FEATURES``), ``PAPER``, and ``passes(**knobs)``: forward-backward passes of the backbone for each image, by which
objectives are compared at equal compute. It may state ``SOURCE``, the pretraining source unless the candidate has one,
and, where two workers do not have the loss of one, why: ``PER_WORKER``. An objective that can read the targets of such
a source has the keyword ``classes``, their number.
"""
