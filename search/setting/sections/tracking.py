"""The section ``tracking``: where people look at a search."""

from pydantic import Field

from search.setting.section import Place, Section


class TrackingSection(Section):
    """``uri`` of an MLflow tracking server; by default an SQLite store in the run's folder.

    ``system_metrics_s`` seconds between two records of the load of the machine that drives the search; none by default.
    """

    uri: Place | None = None
    enabled: bool = True
    system_metrics_s: float | None = Field(default=None, ge=1, le=86_400)
