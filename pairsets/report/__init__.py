"""One self-contained HTML page of a run: tables, curves and a gallery of the hardest pairs."""

from pairsets.funnel import FunnelRow
from pairsets.report.content import DetSet, GalleryPair, ModelScores, Report
from pairsets.report.page import render, write_report
from pairsets.report.pdf import write_pdf
from pairsets.report.svg import refuse_suffix, save_figure, to_svg

__all__ = [
    "DetSet",
    "FunnelRow",
    "GalleryPair",
    "ModelScores",
    "Report",
    "refuse_suffix",
    "render",
    "save_figure",
    "to_svg",
    "write_pdf",
    "write_report",
]
