"""Who may import whom: the contracts in pyproject.toml, which say it in the design's own sentences."""

from __future__ import annotations

from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parents[2]


def test_imports_go_where_the_design_lets_them(capsys):
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_a_contract_that_is_broken_is_noticed(tmp_path, capsys):
    contracts = tmp_path / "contracts.toml"
    contracts.write_text(
        """
        [tool.importlinter]
        root_package = "portfolio"
        include_external_packages = true

        [[tool.importlinter.contracts]]
        name = "The models know no Django"
        type = "forbidden"
        source_modules = ["portfolio.models"]
        forbidden_modules = ["django"]
        """
    )
    assert lint_imports(config_filename=str(contracts), no_cache=True) != EXIT_STATUS_SUCCESS
    assert "portfolio.models -> django" in capsys.readouterr().out
