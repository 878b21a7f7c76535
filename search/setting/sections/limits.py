"""The section ``limits``: hard limits of every candidate."""

from search.setting.section import Amount, Place, Section


class LimitsSection(Section):
    """Hard limits that every trained candidate meets: multiply-accumulates, parameters, output elements, milliseconds.

    Attributes:
        max_latency_ms: of one image, predicted by a model of a device (``search.setting.device``).
        latency_file: the device's measurements; without it this machine is measured, once per run.
    """

    max_macs: Amount | None = None
    max_params: Amount | None = None
    max_activations: Amount | None = None
    max_latency_ms: Amount | None = None
    latency_file: Place | None = None
