"""The section ``ray``: which Ray cluster."""

from search.setting.section import Place, Section


class RaySection(Section):
    """``address`` of a running cluster (``auto`` finds it); by default a private one on this machine."""

    address: Place | None = None
