"""The settings: defaults, numbers with their sentence, folders, and that every one can be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends import settings
from backends.errors import Refused


def test_what_is_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITRINE_STORE", raising=False)
    assert settings.value("VITRINE_STORE") == ".vitrine"
    monkeypatch.setenv("VITRINE_STORE", " ")
    assert settings.value("VITRINE_STORE") == ".vitrine"
    monkeypatch.setenv("VITRINE_STORE", "elsewhere")
    assert settings.value("VITRINE_STORE") == "elsewhere"


def test_a_number_is_read_and_what_is_none_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_QK_GB", "0.25")
    assert settings.number("VITRINE_QK_GB") == 0.25
    for said in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("VITRINE_QK_GB", said)
        with pytest.raises(Refused, match=f"VITRINE_QK_GB is '{said}', and must be a number, 0 or more, such as 0.5"):
            settings.number("VITRINE_QK_GB")
    with pytest.raises(Refused, match="VITRINE_QK_GB"):
        settings.check()


def test_a_port_is_a_whole_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "80.5")
    with pytest.raises(Refused, match=r"PORT is '80.5', and must be a whole number, 0 or more, such as 8050"):
        settings.number("PORT")


def test_folders_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VITRINE_ROOTS", f"{tmp_path}{os.pathsep}{os.pathsep}~")
    assert settings.folders("VITRINE_ROOTS") == [tmp_path.resolve(), Path.home().resolve()]
    monkeypatch.delenv("VITRINE_ROOTS")
    assert settings.folders("VITRINE_ROOTS") == []


def test_every_setting_is_told_once_and_its_default_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [setting.name for setting in settings.SETTINGS]
    assert len(set(names)) == len(names)
    for setting in settings.SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)
        assert settings.value(setting.name) == setting.default
        assert setting.does
        assert setting.default or setting.unset != "–" or setting.kind == "text"
    settings.check()
