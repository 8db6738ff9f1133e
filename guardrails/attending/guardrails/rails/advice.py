"""The words of advice: a lexical grammar of tests, referrals, treatments, diagnoses and urgency, and of what
ordinary letters say instead. Every repetition is bounded, so that matching stays linear in the text.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from attending.guardrails.sieve import Sieved

Kind = Literal["drug", "dose", "test", "referral", "treatment", "diagnosis", "urgency", "unreadable_language"]


def _compile(pattern: str) -> Sieved:
    return Sieved(pattern, re.IGNORECASE)


SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|\n\s*(?:\n|[-*\u2022]|\d+[.)])")
ASKS_TO_TELL: Final = _compile(
    r"\b(?:if|whether)\s+(?:you|he|she|they|the patient|your child)\s+(?:\w+\s+){0,3}?(?:take|takes|taking|use"
    r"|uses|using|are on|is on)\b"
    r"[^.!?\n]{0,80}?\b(?:tell|let|inform|call|contact|notify|advise|speak|ask|talk)\b"
    r"|\b(?:tell|let|inform|call|contact|notify|advise)\b[^.!?\n]{0,60}?\b(?:if|whether)\s+(?:you|he|she|they"
    r"|your child)\b"
    r"|\bbring\b[^.!?\n]{0,60}\b(?:list|bottles?|medications?|medicines?|inhalers?|pumps?|with you)\b"
)
DISPENSING: Final = _compile(
    r"\b(?:refills?|re-?order\w*|pick(?:ed)?[- ]?up|collect(?:ed|ion)?|ready (?:for|at|to)|shipped|shipment"
    r"|deliver\w*|dispatch\w*"
    r"|in stock|out of stock|prior authori[sz]ation|authori[sz]ation|approved by|claim|coverage|covered"
    r"|copay\w*|co-pay\w*|invoice|bill"
    r"|receipt|order number|charge[ds]?|price|cost|insurance|formulary|renewal|renewed|received your (?:request"
    r"|prescription)"
    r"|prescription (?:request|number|for)|sent (?:your|the|a) prescription)\b"
)
MEASURED: Final = _compile(
    r"\b(?:glucose|sugar|potassium|sodium|calcium|creatinine|cholesterol|ldl|hdl|triglycerides?|h[ae]moglobin"
    r"|ferritin|bilirubin"
    r"|level|result|reading|measured|urine output|weigh(?:s|ed|t)?|height|volume of|contrast|bottle of|bag of"
    r"|blood loss|lab(?:s|oratory)?)\b"
)

_UNIT: Final = (
    r"(?:mg|milligrams?|mcg|micrograms?|\u00b5g|\u03bcg|ug|g|grams?|ml|milliliters?|millilitres?|cc|units?|iu"
    r"|meq|mmol"
    r"|tablets?|tabs?|pills?|capsules?|caps?|caplets?|puffs?|drops?|sprays?|patch(?:es)?|teaspoons?"
    r"|tablespoons?|tsp|tbsp"
    r"|suppositor(?:y|ies)|lozenges?|sachets?|ampoules?|doses?)"
)
_NUMBER: Final = (
    r"(?:\d[\d.,]*(?:\s?(?:-|\u2013|to)\s?\d[\d.,]*)?|\u00bd|\u00bc|half|an?|one|two|three|four|five|six|seven"
    r"|eight|nine|ten|another"
    r"|your|the|his|her|their|all|extra|double|each|every|next|last|missed|usual|regular)"
)
_MEDICINE: Final = (
    r"(?:medications?|medicines?|meds|pills?|tablets?|capsules?|drugs?|doses?|insulin|inhalers?|injections?"
    r"|antibiotics?"
    r"|painkillers?|pain (?:relievers?|medications?|medicines?)|blood thinners?|steroids?|drops|ointment|cream"
    r"|lotion|supplements?"
    r"|vitamins?|laxatives?|antacids?|prescription|treatment|therapy|chemotherapy|immunosuppressants?"
    r"|antidepressants?|statin)"
)
_DIRECT: Final = (
    r"(?:take|takes|taking|give|gives|giving|administer\w*|inject\w*|inhale|swallow|apply|instill|use|insert"
    r"|chew|dissolve|prescribe"
    r"|increase|decrease|reduce|raise|lower|double|halve|titrate|taper|skip|miss|hold|withhold|pause|stop"
    r"|discontinue|continue"
    r"|resume|restart|start|begin|initiate|switch|change|repeat|adjust|finish|complete|omit|avoid|keep taking|wean)"
)
# "take" a seat, the elevator or a form is no dose; a number with a unit, or a word for medicine, is needed.
DIRECTED_DOSE: Final = _compile(
    rf"\b{_DIRECT}\b(?:\s+(?:up to|about|only|just|at most|no more than|at least|with|of|off|on|to|from|by"
    rf"|doing|giving|using)){{0,4}}"
    rf"\s+(?:{_NUMBER}[\s-]*){{1,3}}(?:{_UNIT}\b(?!\s*(?:of (?:water|fluid|ice|the (?:form|letter)))))"
    rf"|\b{_DIRECT}\b\s+(?:(?:an?|all|any|some|your|the|his|her|their|of|other|usual|regular|current|daily"
    rf"|morning|evening|these|this|that"
    rf"|prescribed|over-the-counter|blood pressure|pain|diabetes|heart|seizure|on|up|with|more|less"
    rf"|extra)\s+){{0,6}}{_MEDICINE}\b"
    r"(?!\s+(?:list|bottles?|record|history|form|class|box|cards?|information|pick ?up|number|refills?|requests?"
    r"|orders?|label|insurance|plan|drop[- ]?off|questionnaire|consent|room|area|center|centre|appointment))"
    r"|\b(?:titrate|taper|wean)\b\s+(?:to|off|down|up|as|over|by|until|slowly|gradually|according)\b"
)
DIRECTIVE: Final = _compile(rf"\b(?!(?:start|begin|complete|finish|change|use)\b){_DIRECT}\b")
# How a waiting room is run: who has a cold rings up, moves the visit or wears a mask. Anything worse is urgency.
ARRANGES_VISIT: Final = _compile(
    r"^(?![\s\S]*\b(?:pain|bleed\w*|breath\w*|worse\w*|severe|swell\w*|swollen|numb\w*|weak\w*|faint\w*|seizures?"
    r"|confus\w+"
    r"|suicid\w*|chest|heart|dizz\w*|vomit\w*|911|999|112|ambulance|emergency|urgent\w*)\b)"
    r"[\s\S]*\b(?:re-?schedule|cancel|re-?book|keep (?:this|your|the) appointment"
    r"|postpone|move your appointment|before (?:your|the|this) (?:visit|appointment)"
    r"|before (?:coming|you come|arriving|you arrive)|on the day of (?:your|the) (?:visit|appointment)|wear a mask)\b"
)
BARE_DOSE: Final = _compile(
    r"(?<![\w./])\d[\d.,]*\s?(?:(?:-|\u2013|to)\s?\d[\d.,]*\s?)?(?:mg|mcg|micrograms?|milligrams?|\u00b5g"
    r"|\u03bcg)\b(?:\s?/\s?(?:kg|day|dose|m2)|)(?!\s?/\s?(?:dl|l|ml)\b)"
    r"|(?<![\w./])\d[\d.,]*\s?(?:units?|iu|puffs?|tablets?|capsules?|pills?|drops)\b(?=[^.!?\n]{0,60}\b(?:daily"
    r"|a day|per day|hours?|hourly|times|bid|tid|qid|q\d|morning|evening|night|bedtime|meals?|weekly|needed"
    r"|prn)\b)"
)

_TEST: Final = (
    r"(?:mris?|ct(?: scans?)?|cat scans?|pet(?: scans?)?|x-?rays?|radiographs?|ultrasounds?|sonograms?"
    r"|dopplers?|echo(?:cardiogram)?s?"
    r"|ecgs?|ekgs?|eegs?|emgs?|electrocardiograms?|angiogra\w+|mammogra\w+|colonoscop\w+|endoscop\w+"
    r"|gastroscop\w+|bronchoscop\w+"
    r"|cystoscop\w+|sigmoidoscop\w+|biops(?:y|ies)|blood ?(?:tests?|work|draws?|cultures?|counts?|gas(?:es)?)"
    r"|lab(?:s|oratory tests?| work| tests?)"
    r"|a1c|hba1c|cbc|bmp|cmp|inr|tsh|psa|lipid (?:panel|profile)|liver (?:function )?tests?|lfts?"
    r"|kidney function(?: tests?)?"
    r"|renal function(?: tests?)?|metabolic panel|urinalysis|urine (?:tests?|samples?|cultures?|screens?)"
    r"|stool (?:tests?|samples?)|cultures?"
    r"|swabs?|pap (?:smears?|tests?)|stress tests?|treadmill tests?|holter(?: monitors?)?|spirometr\w+"
    r"|pulmonary function tests?|sleep stud(?:y|ies)"
    r"|bone density(?: (?:scan|test))?s?|dexa(?: scans?)?|genetic test(?:s|ing)?|allergy test(?:s|ing)?"
    r"|pregnancy tests?|covid(?:-19)? tests?"
    r"|screening(?: tests?)?|scans?|imaging(?: stud(?:y|ies))?|lumbar puncture|troponins?|d-dimer|hemoglobin"
    r"|haemoglobin|creatinine|potassium"
    r"|electrolytes|glucose|blood sugars?|blood pressure|vital signs|levels?|vision test|eye exam(?:ination)?"
    r"|hearing test|tests?)"
)
_DOCTOR: Final = (
    r"(?:(?:[a-z]+(?:ologist|iatrist|iatrician|etrician|opedist|opaedist|thopist)s?)|specialists?|surgeons?"
    r"|physicians?|doctors?|gp|general practitioner|pcp"
    r"|primary care(?: (?:provider|physician|doctor|clinician|team))?|healthcare (?:provider|professional|team)"
    r"|health care (?:provider|professional|team)"
    r"|provider|clinician|physiotherapists?|physical therapists?|occupational therapists?|therapists?"
    r"|counsel+ors?|psychologists?|dietitians?|dieticians?"
    r"|nutritionists?|midwi(?:fe|ves)|dentists?|podiatrists?|optometrists?|pharmacists?|social workers?"
    r"|palliative care|hospice|(?:[a-z]+ology)"
    r"|psychiatry|orthop(?:a)?edics|pediatrics|surgery|pain clinic|wound clinic|fracture clinic"
    r"|physical therapy|physiotherapy|rehab(?:ilitation)?|home health)"
)
_TREATMENT: Final = (
    r"(?:surgery|operation|procedure|transfusion|dialysis|chemotherapy|radiation|radiotherapy|immunotherapy"
    r"|physical therapy|physiotherapy"
    r"|vaccin\w+|immuni[sz]ation|flu shot|booster|oxygen|cpap|catheter\w*|intubation|iv fluids?|stent\w*"
    r"|pacemaker|bypass|angioplasty|ablation"
    r"|amputation|transplant\w*|antibiotics?|anticoagulation|insulin|statin therapy|cardiac rehab\w*|hospice"
    r"|palliative care|admission|hospitali[sz]ation"
    r"|compression stockings|splint\w*|brace|cast|sutures?|stitches)"
)
_ADVISE: Final = (
    r"(?:(?:i|we|the (?:doctor|team|patient))?\s*(?:would |strongly |also |highly |do )*(?:recommend|suggest"
    r"|advise|propose|urge|indicate)(?:s|ed|ing)?"
    r"|should|ought to|must|needs? to|need|needs|requires?|has to|have to|had better|would benefit from"
    r"|warrants?|consider|(?:is|are) (?:recommended|advised|indicated|needed|necessary|required|warranted|due"
    r"|overdue)"
    r"|it(?:'s| is) (?:important|best|advisable|recommended|necessary|time) to|please (?:have|get|obtain"
    r"|undergo|repeat|complete|do)|make sure (?:to|you)|be sure to|order|obtain|repeat|recheck|re-check|monitor"
    r"|check|get|arrange(?: for)?|undergo|request|send(?: for)?|perform)"
)
_FEW: Final = (
    r"(?:[ \t,]+(?!(?:by|via|at|on|to schedule|to reschedule|to confirm|not)\b)[^\s.!?;:]{1,24}){0,5}?[ \t,]+"
)

_CONDITION: Final = (
    r"(?:[a-z]{3,30}(?:itis|osis|emia|aemia|oma|pathy|algia|plegia|rrhea|rrhoea|rrhage|stenosis|sclerosis"
    r"|megaly|penia|uria|trophy|thrombosis|embolism|lithiasis)"
    r"|[a-z-]{0,20} ?(?:disease|disorder|syndrome|infection|cancer|tumou?r|fracture|failure|deficiency"
    r"|insufficiency|injury|ulcer|clot|stroke|attack|arrest|sprain|strain|allergy|reaction|virus|flu|cold"
    r"|concussion|hernia)"
    r"|diabetes|hypertension|high blood pressure|asthma|copd|pneumonia|covid(?:-19)?|influenza|migraines?"
    r"|depression|anxiety|epilepsy|seizures?|gout|sepsis|angina|arrhythmia"
    r"|atrial fibrillation|dementia|alzheimer\S*|parkinson\S*|lupus|eczema|psoriasis|shingles|measles"
    r"|chickenpox|strep(?: throat)?|uti|gerd|reflux|obesity|pregnan(?:t|cy)|miscarriage|meningitis|malignan\w+"
    r"|benign|pre-?eclampsia)"
)

_SYMPTOM: Final = (
    r"(?:(?:chest|severe|abdominal|belly) pain|shortness of breath|trouble breathing|difficulty breathing"
    r"|short of breath"
    r"|bleed\w*|fever\w*|faint\w*|weak(?:ness)?|numb\w*|severe|worse\w*|swelling|swollen|rash|vomit\w*|nausea|dizz\w*"
    r"|palpitations|headaches?|hurts?|confus\w+|suicid\w*|seizures?|symptoms?|pain|redness|infect\w*|cough\w*"
    r"|jaundice"
    r"|unwell|sick|black stools?|blood in)"
)

ADVICE: Final[tuple[tuple[Kind, Sieved], ...]] = (
    (
        "test",
        _compile(
            rf"\b{_ADVISE}{_FEW}{_TEST}\b(?!\s+(?:results?|appointment|is scheduled|scheduled|on file|log|logs"
            rf"|diary|diaries|images?|films?|reports?|readings|records?|cuff"
            rf"|strips?|department|suite))"
        ),
    ),
    (
        "test",
        _compile(
            rf"\b(?:schedule|book|arrange|order)\s+(?:an?|another|some|repeat|follow-?up"
            rf"|urgent)\s+(?:\w+\s+){{0,2}}{_TEST}\b"
        ),
    ),
    (
        "test",
        _compile(
            rf"\b(?:no|not|without|don't|doesn't|do not|does not)\s+(?:need|require|warrant)\w*\b(?:\s+(?:for"
            rf"|an?|any|further|more|additional|to have))*\s+(?:\w+\s+){{0,2}}{_TEST}\b"
        ),
    ),
    (
        "test",
        _compile(
            rf"\b(?:check|monitor|measure|test|record|track)\s+(?:your|his|her|their|the"
            rf"|blood)\s+(?:\w+\s+){{0,3}}{_TEST}\b"
        ),
    ),
    (
        "referral",
        _compile(
            rf"\b(?:should|must|need to|needs to|recommend\w*|advise\w*|suggest\w*|please|consider|important to"
            rf"|have to|ought to|make sure (?:to|you))\b{_FEW}(?:see|seeing|consult\w*|visit\w*|contact\w*"
            rf"|talk (?:to|with)|speak (?:to|with)|be (?:seen|evaluated|assessed|reviewed|referred)\w*"
            rf"|follow(?:ing)?[- ]up)\b(?:[ \t]+[^\s.!?;:]{{1,24}}){{0,5}}?[ \t]+{_DOCTOR}\b"
        ),
    ),
    (
        "referral",
        _compile(
            rf"(?:^|[.!?;:\n]\s{{0,40}}|\b(?:and|then|or)\s+)(?:please\s+)?(?:see|consult|follow up with"
            rf"|make an appointment with|get referred to|ask|talk to|speak (?:to|with))\s+(?:an?|your"
            rf"|the)\s+(?:\w+\s+){{0,2}}{_DOCTOR}\b"
        ),
    ),
    (
        "referral",
        _compile(
            rf"\b(?:recommend|suggest|advise|consider|request|place|make|needs?|warrants?|require"
            rf"|urgent)\w*\s+(?:\w+\s+){{0,4}}?(?:referral|consult(?:ation)?|specialist (?:review|input)"
            rf"|second opinion)\b|\b(?:refer|send)\s+(?:you|him|her|them|the patient|this patient"
            rf"|to)\b(?:\s+\w+){{0,4}}?\s+{_DOCTOR}\b"
        ),
    ),
    (
        "referral",
        _compile(
            rf"\bfollow[- ]?up\s+(?:with\s+(?:\w+\s+){{0,3}}{_DOCTOR}\s+)?(?:in|within)\s+(?:\d+|one|two|three"
            rf"|four|six|a few|a couple of)(?:\s?(?:-|to)\s?\d+)?\s+(?:days?|weeks?|months?)\b"
        ),
    ),
    (
        "treatment",
        _compile(
            rf"\b(?:i|we|you|he|she|they|the patient|patient|(?:would|strongly) )?\s*(?:recommend\w*|suggest\w*"
            rf"|advise\w*|should (?:have|get|undergo|receive|start|be (?:given|offered|admitted))"
            rf"|needs?(?: to (?:have|get|undergo|start))?|requires?|would benefit from|(?:is"
            rf"|are) a candidate for|consider)\b{_FEW}{_TREATMENT}\b"
        ),
    ),
    (
        "treatment",
        _compile(
            r"\b(?:admit|discharge|intubate|transfuse|immobili[sz]e|vaccinate|catheteri[sz]e|anticoagulate"
            r"|resuscitate)\s+(?:the\s+)?(?:patient|him|her|them|to|if|with|home|now)\b"
        ),
    ),
    (
        "treatment",
        _compile(
            rf"\bno\s+(?:further\s+|other\s+|additional\s+|specific\s+)?(?:{_MEDICINE}|{_TREATMENT}|{_TEST}"
            rf"|follow[- ]?up"
            r"|referral|intervention)\s+(?:is|are)\s+(?:needed|necessary|required|indicated|recommended|warranted)\b"
        ),
    ),
    (
        "diagnosis",
        _compile(
            rf"\b(?:you|he|she|they|your (?:child|mother|father|son|daughter|baby)|(?:the "
            rf"|this )?patient)(?:'ve| have| has|'s|'re)?\s+(?:(?:likely|probably|possibly|may|might|could|must"
            rf"|does|do|is|are|'re|not|don't|doesn't|didn't|cannot|almost certainly|appears? to|seems? to"
            rf"|most likely|now|also|mild|severe|acute"
            rf"|chronic)\s+){{0,4}}(?:have|has|had|got|suffers? from|developed|is|are|been)?\s*(?:(?:likely"
            rf"|probably|possibly|now|not|also)\s+)?\s*(?:an?\s+|the\s+"
            rf"|not\s+)?(?:(?:mild|moderate|severe|acute|chronic|early|type \d|stage \w+|bacterial|viral|simple"
            rf"|minor|serious|possible|probable|new|recurrent)\s+){{0,3}}(?:[a-z-]+\s+)?{_CONDITION}\b(?!\s+(?:clinic"
            rf"|department|appointment|centre|center|unit|nurse|class|education|program\w*|society|vaccine|shot"
            rf"|screening|records?|team))"
        ),
    ),
    (
        "diagnosis",
        _compile(
            r"\b(?:diagnos(?:is|es)\s+(?:of|is|:|remains|would be|includes?)|diagnosed\s+(?:you\s+)?(?:with|as)"
            r"|consistent with|suggest(?:s|ive) of|indicative of|most likely (?:due to|caused by|cause)"
            r"|differential (?:diagnosis|includes)|rule[sd]? out|concerning for|suspicious for)\b"
        ),
    ),
    (
        "diagnosis",
        _compile(
            rf"\byour\s+(?:[a-z-]+\s+){{1,2}}?(?:is|are|was|were|looks?|appears?|seems?)\s+(?:(?:not|likely"
            rf"|probably|most"
            rf"|very|almost|certainly)\s+){{0,2}}(?:{_CONDITION}|malignant|cancerous|infected|inflamed|broken"
            rf"|fractured|torn|sprained)\b"
            rf"|\b(?:this|these|it|that|your (?:symptoms?|rash|pain|cough|condition|results?|scans?|tests?"
            rf"|x-?ray|biopsy|bloods?|blood test|ecg|mri|ct))\s+(?:\w+\s+){{0,3}}?(?:is|are|was|were|looks?"
            rf"|sounds?|appears?|seems?|suggests?|shows?|indicates?|confirms?|means?|could be|may be|might be"
            rf"|came back|reveals?|points? to)\s+(?:\w+\s+){{0,4}}?(?:{_CONDITION}|positive|negative|abnormal"
            rf"|normal|elevated|low|high|cancerous|nothing (?:serious|to worry)|fine|stable|improved"
            rf"|worse\w*)\b(?!\s+(?:hours|traffic|volume|priority))"
        ),
    ),
    (
        "diagnosis",
        _compile(
            rf"\byour\s+(?:[\w-]+\s+){{0,2}}{_TEST}\b[^!?\n]{{0,40}}?\b(?:is|are|was|were|looks?|came back|reads?)\b"
            r"[^!?\n]{0,30}?\b(?:normal|abnormal|high|low|elevated|fine|negative|positive|good|stable|borderline"
            r"|(?:in|within|out of|outside) (?:the )?(?:normal |expected )?range)\b"
            r"(?!\s+(?:hours|traffic|volume|priority|demand|news))"
        ),
    ),
    (
        "urgency",
        _compile(
            r"\b(?:stay|remain|rest|wait|recover)\s+(?:at\s+)?home\b"
            r"|\b(?:it|this|that|they|these|(?:the|your)\s+\w+)\s+(?:will|should|usually|often|normally|tends? to)\s+"
            r"(?:\w+\s+)?(?:pass|go away|resolve|settle|clear up|get better|improve|heal|subside|wear off)\b"
            r"|\bsee how (?:you|he|she|it|they|things) (?:feels?|goes?|go|are|is)\b|\bkeep an eye on (?:it|this"
            r"|your|the)\b"
            r"|\bwatch (?:for|out for) (?:any |signs? |these |the following )"
        ),
    ),
    (
        "urgency",
        _compile(
            r"\b(?:go|come|get|take (?:him|her|them|yourself)|head|report|present|proceed|rush|return"
            r"|drive)\b(?:\s+\w+){0,5}?\s+(?:to|at)\s+(?:the\s+|your\s+"
            r"|an?\s+)?(?:\w+\s+){0,2}?(?:emergency (?:room|department|dept)|er|ed|a&e|casualty|urgent care)\b"
        ),
    ),
    (
        "urgency",
        _compile(
            r"\b(?:call|dial|phone|ring)\s+(?:\w+\s+){0,2}?(?:911|999|112|000|111|988|an ambulance"
            r"|emergency services|poison control)\b"
        ),
    ),
    (
        "urgency",
        _compile(
            r"\b(?:seek|get|obtain|needs?|requires?)\s+(?:\w+\s+){0,2}?(?:medical|immediate|urgent|emergency"
            r"|prompt)\s+(?:\w+\s+){0,2}?(?:care|attention|help|evaluation|assessment|treatment|review)\b"
        ),
    ),
    (
        "urgency",
        _compile(
            r"\b(?:no need|(?:do(?:es)? not|don't|doesn't|needn't) need|not necessary"
            r"|unnecessary)\s+(?:to\s+)?(?:\w+\s+){0,3}?(?:worr\w+|see (?:a|your)|be seen|go to|seek|call (?:a"
            r"|your|the) (?:doctor|gp|nurse))\b|\b(?:nothing to worry about|not (?:an? )?(?:emergency|urgent"
            r"|serious|dangerous|life[- ]threatening)|(?:can|could|safe to|safely|okay to|ok to"
            r"|fine to) wait\b(?!\s+(?:in|at|on the|here))|wait and see|watchful waiting|wait (?:it out|and see"
            r"|until (?:morning|monday|tomorrow|your next|it|the symptoms?)))"
        ),
    ),
    (
        "urgency",
        _compile(
            rf"\b(?:if|when|should)\b[^.!?\n]{{0,120}}\b{_SYMPTOM}\b[^.!?\n]{{0,120}}\b(?:call|contact|phone|see"
            r"|visit|go to|return|come (?:back|in)|seek|tell|notify|let us know|stop)\b"
        ),
    ),
    (
        "urgency",
        _compile(
            r"\b(?:call|contact|phone|see|return|come (?:back|in)|seek|notify|let us know|tell)\b[^.!?\n]{0,80}"
            rf"\b(?:if|when|for|should)\b[^.!?\n]{{0,60}}\b{_SYMPTOM}\b"
            r"(?!\s+(?:clinic|management|center|centre|team|service|unit|program))"
        ),
    ),
    (
        "urgency",
        _compile(
            r"\b(?:urgently|immediately|right away|at once|as soon as possible|without delay|within (?:24"
            r"|48) hours|today)\b[^.!?\n]{0,30}\b(?:be seen|evaluated|assessed|admitted|treated|see (?:a"
            r"|your) (?:doctor|gp))\b|\b(?:be seen|be evaluated|be assessed|admission|see (?:a|your) (?:doctor"
            r"|gp|physician))\b[^.!?\n]{0,40}\b(?:urgently|immediately|right away|at once|as soon as possible"
            r"|without delay|within (?:24|48) hours|today)\b"
        ),
    ),
)

# The line that every letter and telephone tape carries; it names no symptom and tells nobody how ill they are.
BOILERPLATE: Final = _compile(
    r"\b(?:if (?:this is|you (?:are|have|are having|are experiencing|think you (?:have|are having)|experience)"
    r"|you believe this is)\s+(?:an?\s+|in an?\s+)?"
    r"(?:(?:true|real|medical|life[- ]threatening|mental health)\s+(?:or\s+)?){0,3}emergency|(?:in|for"
    r"|in case of|in the event of)\s+(?:an?\s+|all\s+|any\s+)?(?:(?:medical"
    r"|life[- ]threatening)\s+){0,2}emergenc(?:y|ies)"
    r"|not (?:be )?(?:monitored|used|for use) (?:for|in) (?:medical )?emergenc(?:y|ies))\b"
)
RESULT_READY: Final = _compile(
    r"\b(?:results?|report)\s+(?:\w+\s+){0,3}(?:is|are|will be)\s+(?:now\s+)?(?:available|ready|in your portal"
    r"|posted|sent|being)\b"
)
