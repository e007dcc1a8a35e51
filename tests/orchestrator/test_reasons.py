"""Why a task ended is said in words, for every reason that there is."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from monitoring.errors import FailureReason
from orchestrator.errors import StageFailed

_NOTHING = " \t\r\n:;,\u00a0\u200b\u2060\ufeff\u3000"
DETAILS = st.one_of(
    st.text(alphabet=_NOTHING, max_size=20),
    st.text(max_size=60),
    st.tuples(st.text(max_size=40), st.text(alphabet=_NOTHING, max_size=10)).map("".join),
)


@given(reason=st.sampled_from(FailureReason), detail=DETAILS, blocked=st.booleans())
def test_no_reason_is_blank_or_breaks_off_at_a_colon(reason: FailureReason, detail: str, blocked: bool) -> None:
    failure = StageFailed(reason, detail, blocked=blocked)
    for told in (failure, StageFailed.from_json(failure.as_json())):
        assert (told.reason, told.detail, told.blocked) == (reason, failure.detail, blocked)
        assert told.detail.strip(_NOTHING) and told.detail[-1] not in _NOTHING
        assert told.detail in str(told) and reason.value in str(told)
    kept = {character for character in detail if unicodedata.category(character)[0] in "LN"}
    assert kept <= {*failure.detail}, "no letter of what is known is lost"
