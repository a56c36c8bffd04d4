"""How answers about the positions of a portfolio look, for the schema."""

from __future__ import annotations

from positions.api.frame_serializers import FrameSerializer, HoldingRemarkSerializer, HoldingsAnswerSerializer
from positions.api.serializers import (
    CashSerializer,
    DisposalSerializer,
    FindingSerializer,
    LotSerializer,
    PositionDaySerializer,
    PositionSerializer,
    TotalsSerializer,
)


class PortfolioPositionsSerializer(HoldingsAnswerSerializer):
    """The positions of a portfolio at the end of a day."""

    positions = PositionSerializer(many=True)
    cash = CashSerializer(many=True)
    totals = TotalsSerializer()
    findings = FindingSerializer(many=True, help_text="of the figures; those of the ledger: /data-quality/")


class PositionDetailSerializer(FrameSerializer):
    """One position, and how it came to be."""

    position = PositionSerializer()
    history = PositionDaySerializer(many=True)
    lots = LotSerializer(many=True)
    disposals = DisposalSerializer(many=True)
    remarks = HoldingRemarkSerializer(many=True)
