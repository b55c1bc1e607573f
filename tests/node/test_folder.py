"""A party's name is one step below `parties/`, never a way out of the study's folder."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from accord.node.folder import open_folder


@pytest.mark.parametrize("name", ["../north", "north/..", "/etc", "", ".", "North"])
def test_no_name_leads_out_of_the_folder(study, name):
    with pytest.raises(Refused, match="cannot be a name"):
        open_folder(study).party(name)
    assert open_folder(study).party("north").path == study / "parties" / "north"
