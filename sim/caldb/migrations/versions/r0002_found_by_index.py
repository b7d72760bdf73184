"""Conditions and versions are found by indices (fingerprints, bounds); parameters say whether they hold texts."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa
from alembic import op

from sim.caldb.matching import Stored, bounds, fingerprint, parameter_set

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IN_USE = {
    "sqlite": "flg_deployed = 1 AND flg_good_quality = 1",
    "postgresql": "flg_deployed AND flg_good_quality",
}
INDICES = (
    ("ix_conditions_fingerprint", "conditions", ["fingerprint"]),
    ("ix_conditions_parameter_set", "conditions", ["parameter_set"]),
    ("ix_constants_condition", "calibration_constants", ["condition_id"]),
    ("ix_mappings_unit", "module_mappings", ["physical_detector_unit_id", "since"]),
    ("ix_mappings_detector", "module_mappings", ["detector_id"]),
    ("ix_versions_unit", "calibration_constant_versions", ["physical_detector_unit_id"]),
    ("ix_versions_name", "calibration_constant_versions", ["name"]),
    ("ix_versions_report", "calibration_constant_versions", ["report_id"]),
    ("ix_versions_file", "calibration_constant_versions", ["path_to_file", "file_name"]),
)
VERSION_KEY = [
    "calibration_constant_id",
    "physical_detector_unit_id",
    "begin_at",
    "created_at",
    "end_validity_at",
]


def upgrade() -> None:
    """Add the columns, fill them for what is there, then the indices."""
    op.add_column(
        "parameters", sa.Column("flg_text", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("conditions", sa.Column("fingerprint", sa.String()))
    op.add_column("conditions", sa.Column("parameter_set", sa.String()))
    op.add_column("parameters_conditions", sa.Column("lowest", sa.Float()))
    op.add_column("parameters_conditions", sa.Column("highest", sa.Float()))
    _fill()
    for name, table, columns in INDICES:
        op.create_index(name, table, columns)
    op.create_index(
        "ux_parameters_of_condition", "parameters_conditions", ["condition_id", "parameter_id"], unique=True
    )
    op.create_index(
        "ix_versions_in_use",
        "calibration_constant_versions",
        VERSION_KEY,
        sqlite_where=sa.text(IN_USE["sqlite"]),
        postgresql_where=sa.text(IN_USE["postgresql"]),
    )


def downgrade() -> None:
    """Take the indices and columns away."""
    op.drop_index("ix_versions_in_use", "calibration_constant_versions")
    op.drop_index("ux_parameters_of_condition", "parameters_conditions")
    for name, table, _ in reversed(INDICES):
        op.drop_index(name, table)
    for table, column in (
        ("parameters_conditions", "highest"),
        ("parameters_conditions", "lowest"),
        ("conditions", "parameter_set"),
        ("conditions", "fingerprint"),
        ("parameters", "flg_text"),
    ):
        op.drop_column(table, column)


def _fill() -> None:
    db = op.get_bind()
    listed = sa.table(
        "parameters_conditions",
        *(sa.column(name) for name in ("id", "condition_id", "parameter_id", "value", "txt_value")),
        *(
            sa.column(name)
            for name in ("lower_deviation_value", "upper_deviation_value", "lowest", "highest")
        ),
    )
    conditions = sa.table("conditions", *(sa.column(name) for name in ("id", "fingerprint", "parameter_set")))
    found: dict[int, list[Stored]] = defaultdict(list)
    for row in db.execute(sa.select(listed)).mappings().all():
        stored = Stored(
            row["parameter_id"],
            row["value"] or 0.0,
            row["txt_value"],
            row["lower_deviation_value"] or 0.0,
            row["upper_deviation_value"] or 0.0,
        )
        found[row["condition_id"]].append(stored)
        lowest, highest = bounds(stored)
        db.execute(sa.update(listed).where(listed.c.id == row["id"]).values(lowest=lowest, highest=highest))
    for condition_id in db.execute(sa.select(conditions.c.id)).scalars().all():
        of_it = found[condition_id]
        values = {
            "fingerprint": fingerprint(of_it),
            "parameter_set": parameter_set(s.parameter_id for s in of_it),
        }
        db.execute(sa.update(conditions).where(conditions.c.id == condition_id).values(**values))
