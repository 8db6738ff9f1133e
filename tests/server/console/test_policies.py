"""What the page of a policy says of it, in words."""

from __future__ import annotations

from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Escalation, Policy
from attending.server.console.policies import escalation_words, sign_off_words
from attending.server.shipped import package_policies


def test_when_it_is_escalated_and_to_whom() -> None:
    plain = Escalation(after_minutes=120, to_roles=("clinician", "safety_officer"))
    assert escalation_words(plain) == "escalated after 2 h 00 min to clinician or safety officer"
    outside = {
        "time_zone": "America/New_York",
        "days": ["mon", "fri"],
        "begins": "08:00",
        "ends": "18:00",
        "holidays": ["2026-12-25"],
        "after_minutes": 15,
        "to_roles": ["safety_officer"],
    }
    both = Escalation.model_validate({**plain.model_dump(), "outside_hours": outside})
    assert escalation_words(both) == (
        "escalated after 2 h 00 min to clinician or safety officer; outside 08:00 to 18:00 on Mon, Fri, except "
        "1 days of holiday, (America/New_York) after 15 min to safety officer"
    )


def test_who_signs_and_whose_signature_findings_want() -> None:
    plain = PolicySet.load(package_policies())["discharge-plan"]
    assert sign_off_words(plain) == "one clinician or pharmacist"
    skills = [{"findings": ["interactions", "doses"], "roles": ["pharmacist"]}]
    sign_offs = {**plain.sign_offs.model_dump(), "skills": skills}
    wanting = Policy.model_validate({**plain.model_dump(), "sign_offs": sign_offs})
    assert sign_off_words(wanting) == "one clinician or pharmacist; interactions, doses also by pharmacist"
