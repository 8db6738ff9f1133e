"""Acts that steer a model in languages other than English: a document that speaks to a model, instructions that were
given to it and are set aside, and a part that from now on has no limits. See `acts`; the plain orders of each language
are in `languages`. Words are folded as texts are (`folding.fold_pattern`).
"""

# ruff: noqa: RUF001 - letters of other scripts are what is read here

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.rails.acts import Act
from attending.guardrails.rails.folding import fold_pattern
from attending.guardrails.rails.signs import DOCUMENT, GIVEN
from attending.guardrails.sieve import Sieved

_ANSWERS: Final = re.compile(
    fold_pattern(
        r"\b(?:respond|contest|dime\b|dinos|habla|escrib|eres\b|tienes\b|te llamas|reponds|repondez|dis-moi"
        r"|ecris|parle|tu (?:es|n'as|reponds|t'appelles)|a toi\b|antwort|sag mir|sprich"
        r"|schreib|fur dich|du (?:bist|hast|darfst|heisst)|diga-me|diz-me|escrev|fale\b|voce (?:e|nao)\b"
        r"|rispond|scriv|parla\b|dimmi|tu sei|sei (?:un|il|libero)|non hai|je bent|ben je"
        r"|schrijf|vertel|odpowi|odpowiad|mow\b|pisz|cie\b|jestes|cevap|yanit|soyle|sana\b|danisman"
        r"|отвеч|ответ|говори|пиши|ты\b|тебя|тебе|tra loi|ban (?:la|khong)|jawab|kamu)"
        r"|اجب|انت|رد |قل |जवाब|उत्तर|आप |तुम|回答|你|您|答え|あなた|답|너는|당신"
    )
)
"""Only a model is free to answer; a person who is told so is free to walk, eat and drive."""


def _acts(
    *,
    model: str,
    asked: str,
    void: str = "",
    given: str = "",
    now: str = "",
    free: str = "",
    care: str = "",
    words: bool = True,
) -> tuple[Act, ...]:
    """`model` is asked to do `asked` by a document; `void` is done to what was `given` to "you"; `now` all goes
    `free`. `care` excuses the second. `words`: the language puts spaces between words."""
    edge = r"\b" if words else ""
    latin = fold_pattern(model).isascii()

    def near(pattern: str) -> re.Pattern[str]:
        return re.compile(fold_pattern(rf"{edge}(?:{pattern})"))

    found = [
        Act(
            "addresses_model",
            DOCUMENT,
            Sieved(fold_pattern(rf"{edge}(?:{model})")),
            (near(asked),),
            wide=True,
            ascii_only=latin,
        )
    ]
    if given:
        excuse = near(care) if care else None
        found.append(
            Act(
                "override",
                GIVEN,
                Sieved(fold_pattern(rf"{edge}(?:{given})")),
                (near(void),),
                excuse,
                ascii_only=latin,
            )
        )
    if now:
        found.append(
            Act(
                "role",
                GIVEN,
                Sieved(fold_pattern(rf"{edge}(?:{now})")),
                (near(free), _ANSWERS),
                ascii_only=latin,
            )
        )
    return tuple(found)


ACTS: Final[tuple[Act, ...]] = (
    # Spanish
    *_acts(
        model=r"asistentes? (?:automatic[oa]s?|virtual(?:es)?|digital(?:es)?|de ia|inteligentes?"
            r"|de inteligencia)"
        r"|modelos? (?:de lenguaje|linguistic[oa]s?|de ia)\b|inteligencia artificial|ia\b|chatbot|(?:maquina"
        r"|robot|ordenador|computadora|herramienta)s? que (?:lea|lee|leera|resum|proces|redact)\w*|sistemas?"
        r" (?:automatic[oa]s?|que (?:resum|lea|lee|proces)\w+)|programas? que (?:resum|lea|lee|proces)\w+"
        r"|lector(?:es)? automatic[oa]s?",
        asked=r"(?:respond|contest|dig[ao]|di que|deb(?:e|es|era|eras)\b|omit|no (?:mencion|cit|inclu|indi"
            r"|adviert|haga)|escrib"
        r"|afirm|olvid|ignor|recomiend|recomend|anad|envi|marq|clasifi|present|consider|trate\b|copie|ocult)\w*",
        void=r"(?:olvid|ignor|descart|desech|anul|omit|deja|deje|dejad|no (?:sig|hag|teng|obede|aplique)"
            r"|haz caso omiso)\w*",
        given=r"(?:configuracion|instrucciones|reglas|normas|ordenes|directrices|indicaciones|todo lo"
            r"|lo) que (?:te|le|os|les)"
        r" (?:\w+ ){0,2}?(?:dieron|dado|pusieron|dijeron|dicho|programaron|ensenaron|marcaron|pidieron"
        r"|impusieron)",
        now=r"a partir de (?:ahora|este momento|aqui)|desde (?:ahora|este momento)|de ahora en adelante"
            r"|en adelante",
        free=r"(?:sin|ningun\w*|ya no|no (?:hay|tienes|existe\w*|rige\w*)) (?:\w+ ){0,3}?(?:reserv|limit|norma"
            r"|regla|filtro|restriccion"
        r"|advertencia|aviso|control|prohibi|censura)\w*|te llamas|eres\b",
        care=r"medic\w+|doctora?|enfermer\w+|urgencias|ayuno|dosis|dieta|farmac\w+|hospital",
    ),
    # French
    *_acts(
        model=r"(?:machine|robot|ordinateur|programme|outil)s? qui (?:l[iu]|resum|trait|analys|redig)\w*"
            r"|assistants? (?:automatiques?|virtuels?|numeriques?|ia\b|d'ia\b|intelligents?)"
            r"|modeles? (?:de langage|linguistiques?"
        r"|d'ia\b|qui (?:lit|resume|traite))|intelligence artificielle|(?:l'|d'|une? )?ia\b|chatbot"
        r"|systemes? (?:automatiques?"
        r"|qui (?:lit|resume|traite))|logiciels? (?:qui (?:lit|resume|traite)|de resume)"
        r"|lecteurs? automatiques?",
        asked=r"doi(?:t|s)\b|devez|repond\w*|indique\w*|ecri(?:s|vez)\b|omet\w*|n(?:e |')(?:mentionn|cit|evoqu"
            r"|signal|parl|ajout|indiqu|rapport)\w*"
        r"|recommand\w+|ajoute[zr]?|affirme[zr]?|di(?:s|tes)\b|presente[zr]?|oublie[zr]?|ignore[zr]?|envoie"
        r"|envoyez|pass(?:e|ez) sous silence"
        r"|considere[zr]?|classe[zr]?|copie[zr]?|est prie|est tenu",
        void=r"oubli\w*|ignor\w*|laiss\w* (?:tomber|de cote)|ne (?:suis|suivez|tiens|tenez|respecte)\w*"
            r"|annul\w*|fais abstraction|efface\w*",
        given=r"(?:instructions|consignes|regles|directives|configuration|ordres|tout ce) qu(?:e|'on"
            r"|i)? ?(?:\w+'?\w* ){0,3}?(?:t'a|t'ont|vous a|vous ont"
        r"|t'avait|te donn\w+)\b",
        now=r"a partir de (?:maintenant|cet instant)|desormais|dorenavant|des (?:maintenant|a present)",
        free=r"(?:sans|aucune?|plus (?:aucune?|de)) (?:\w+ ){0,2}?(?:reserve|limite|regle|filtre|restriction"
            r"|avertissement|mise en garde|controle"
        r"|interdi|censure|consigne)\w*|tu (?:es|t'appelles)\b",
        care=r"medecin|docteur|infirmi\w+|jeun|dose|regime|pharmac\w+|urgences",
    ),
    # German
    *_acts(
        model=r"sprachmodell\w*|ki(?:-?(?:assistent\w*|system\w*|modell\w*|gestutzt\w*"
            r"|werkzeug\w*))?\b(?!-?67)|kunstliche\w* intelligenz"
        r"|(?:automatisch\w*|digital\w*|virtuell\w*|maschinell\w*) (?:assistent\w*|leser\w*|auswert\w*"
        r"|zusammenfass\w*|helfer\w*|verarbeit\w*)"
        r"|assistenzsystem\w*|chatbot|(?:maschine|computer|programm|software|rechner|roboter"
        r"|werkzeug),? (?:die|der|das|welche[sr]?) (?:\w+ ){0,4}?(?:lies|les|zusammenfass|verarbeit|auswert)\w*",
        asked=r"muss\b|soll(?:en|st)?\b|erwahn\w*|antwort\w*|schreib\w*|gib\b|geben sie|sag(?:e|en)?\b"
            r"|verschweig\w*|lass\w* \w+ weg|empfiehl"
        r"|empfehlen sie|nenn\w*|ignorier\w*|vergiss|vergessen sie|stufe\w*|markier\w*|behaupt\w*|weglass\w*"
        r"|fug\w*|betracht\w*|stell\w*|streich\w*"
        r"|unterschlag\w*|sende\w*|verweis\w*",
        void=r"vergiss|vergessen|ignorier\w*|missacht\w*|verwirf|lass\w*|streich\w*|gelten nicht|gilt nicht"
            r"|uberschreib\w*|nicht mehr",
        given=r"(?:was|anweisungen|regeln|vorgaben|richtlinien|konfiguration|einstellungen|alles),? (?:was "
            r"|die |das |den )?(?:man |dein\w* \w+ |die \w+ |sie )?"
        r"(?:dir|ihnen) (?:\w+ ){0,3}?(?:gesagt|gegeben|mitgegeben|beigebracht|vorgegeben|aufgetragen|erteilt"
        r"|eingegeben)|dir (?:gegebenen|erteilten|gesetzten)",
        now=r"ab (?:jetzt|sofort|nun|hier)|von (?:jetzt|nun) an|kunftig",
        free=r"(?:ohne|keine(?:rlei|n|r)?) (?:\w+ ){0,2}?(?:vorbehalt|grenze|regel|vorschrift|filter|warnung"
            r"|warnhinweis|einschrankung|hemmung|zensur|kontroll"
        r"|rucksicht|vorgabe)\w*|(?:fur dich|du) \w+ keine|du (?:bist|heisst)\b",
        care=r"arzt\w*|arzte\w*|doktor|schwester|pfleger\w*|notaufnahme|dosis|diat|apotheke\w*|klinik",
    ),
    # Portuguese
    *_acts(
        model=r"assistentes? (?:automatic[oa]s?|virtua(?:l|is)|digita(?:l|is)|de ia|inteligentes?)"
            r"|modelos? (?:de linguagem|linguistic[oa]s?|de ia)"
        r"|inteligencia artificial|ia\b|chatbot|sistemas? (?:automatic[oa]s?|que (?:le|leia|ler|resum\w+"
        r"|process\w+))",
        asked=r"deve(?:ra|m)?\b|nao (?:mencion|cit|inclu|refir|indi|fal)\w*|respond\w*|diga|diz|escrev\w*"
            r"|omit\w*|afirm\w*|ignor\w*|esquec\w*|esqueca"
        r"|recomend\w*|inclua|marque|envie|consider\w*|apresent\w*|trate\b|copie",
        void=r"(?:esquec|esqueca|ignor|desconsider|descart|deix|larg|nao (?:sig|obede|cumpr)|anul)\w*",
        given=r"(?:instrucoes|regras|ordens|normas|configuracao|diretrizes|tudo o|tudo|o) que (?:te|lhe|vos"
            r"|a voce) (?:\w+ )?(?:deram|disseram|ensinaram|passaram"
        r"|mandaram|impuseram|pediram|foi dado|foi dito)",
        now=r"a partir de (?:agora|este momento)|de agora em diante|doravante|daqui (?:em|para a) (?:diante"
            r"|frente)",
        free=r"(?:sem|nenhum\w*|ja nao|nao (?:ha|tem|existe\w*)) (?:\w+ ){0,2}?(?:reserva|limite|regra|filtro"
            r"|restric|aviso|alerta|advertencia|controle"
        r"|proibi|censura)\w*|voce e\b|chama-se",
        care=r"medic\w+|doutora?|enfermeir\w+|jejum|dose|dieta|farmac\w+|hospital",
    ),
    # Italian
    *_acts(
        model=r"assistent[ei] (?:automatic[oi]|virtual[ei]|digital[ei]|ia\b|di ia\b|intelligent[ei])"
            r"|modell[oi] (?:linguistic[oi]|di linguaggio|di ia)"
        r"|intelligenza artificiale|(?:l'|un')?ia\b|chatbot|sistem[ai] (?:automatic[oi]|che (?:legg\w+"
        r"|riassum\w+|elabor\w+))",
        asked=r"dev(?:e|i|ono)\b|non (?:menzion|cit|riport|indic|segnal|parl)\w*|rispond\w*|scriv\w*|di(?:ca"
            r"|ci|re) che|omett\w*|afferm\w*|ignor\w*"
        r"|dimentic\w*|raccomand\w*|aggiung\w*|consider\w*|present\w*|tralasci\w*|inser\w*|invi\w*",
        void=r"(?:dimentic|ignor|scart|trascur|lasci|non (?:segu|rispett|ten)|annull|cancell)\w*",
        given=r"(?:istruzioni|regole|ordini|norme|configurazione|direttive|tutto quello|cio|quello) che (?:ti"
            r"|le|vi) (?:\w+ ){0,2}?(?:dato|date|detto|dette"
        r"|insegnato|imposto|imposte|impartit[oe]|fornit[oe])",
        now=r"d'ora in (?:poi|avanti)|da (?:adesso|ora|questo momento)|a partire da (?:ora|adesso)",
        free=r"(?:senza|nessun\w*|non (?:hai|esist\w+|c'e|valgono)) (?:\w+ ){0,2}?(?:riserv|limit|regol|filtr"
            r"|restrizion|avvertenz|avvis|controll|diviet|censur"
        r"|vincol)\w*|(?:tu )?sei\b|ti chiami",
        care=r"medic\w+|dottor\w*|infermier\w+|digiuno|dose|dieta|farmac\w+|ospedale|pronto soccorso",
    ),
    # Dutch
    *_acts(
        model=r"taalmodel\w*|kunstmatige intelligentie|ai-?(?:assistent|model|systeem)\w*|(?:digitale|virtuele"
            r"|automatische) (?:assistent|lezer|hulp)\w*"
        r"|chatbot",
        asked=r"moet(?:en)?\b|vermeld\w*|antwoord\w*|schrijf|zeg\b|negeer|vergeet|laat\b|noem|verzwijg|geef"
            r"|raad|beschouw|stuur|dient\b|sla\b",
        void=r"negeer|vergeet|laat|zet|sla|volg|wis",
        given=r"(?:instructies|regels|opdrachten|richtlijnen|alles|wat)(?: \w+){0,3}? (?:je|jou"
            r"|u) (?:\w+ )?(?:gegeven|verteld|gezegd|opgedragen|hebt gekregen|kreeg)"
        r"|(?:alle|de|je|jouw) (?:eerdere|vorige|voorgaande|bovenstaande|huidige) (?:instructies|regels"
        r"|opdrachten|richtlijnen)",
        now=r"vanaf (?:nu|dit moment)|voortaan|van nu af",
        free=r"(?:zonder|geen(?: enkele)?) (?:\w+ ){0,2}?(?:voorbehoud|grens|grenzen|regel|filter|beperking"
            r"|waarschuwing|terughoud|censuur)\w*|ben je|je bent",
        care=r"arts|dokter|verpleeg\w+|apotheek\w*|dosis|ziekenhuis",
    ),
    # Polish
    *_acts(
        model=r"model\w* jezykow\w*|sztuczn\w+ inteligencj\w+|asystent\w* (?:ai|wirtualn\w+|automatyczn\w+"
            r"|cyfrow\w+)|automatyczn\w+ (?:asystent\w*|system\w*"
        r"|czytelnik\w*)|program\w* (?:streszcz\w+|czytaj\w+|podsumow\w+)|chatbot\w*",
        asked=r"napisz\w*|powiedz\w*|odpowie\w*|odpowiad\w*|pomin\w*|nie (?:wspomin|podaw|wymien|uwzgledn"
            r"|pisz)\w*|zignor\w*|ignoruj\w*|zapomn\w*|powin\w+"
        r"|musi\w*|ma (?:napisac|podac|odpowiedziec)|zalec\w*|dodaj\w*|wysl\w*|uznaj\w*|oznacz\w*|nalezy"
        r"|stwierdz\w*",
        void=r"(?:zignor|ignoruj|zapomn|pomin|odrzuc|nie (?:stosuj|przestrzeg|slucha)|uniewazn)\w*",
        given=r"(?:instrukcj\w+|polece\w+|zasad\w*|regul\w*|wytyczn\w+|wszystk\w+),? (?:ktor\w+ |co )(?:ci|wam"
            r"|tobie) (?:\w+ )?(?:dano|wydano|przekazano|podano|narzucono"
        r"|dali|powiedziano|kazano)|(?:wczesniejsze|poprzednie|twoje) (?:instrukcje|polecenia|zasady|wytyczne)",
        now=r"od (?:teraz|tej chwili|tego momentu)",
        free=r"(?:bez|zadn\w+|nie obowiazuj\w+) (?:\w+ ){0,3}?(?:zastrze|ogranicz|regul|zasad|filtr|ostrzez"
            r"|kontrol|cenzur|zakaz)\w*|nie obowiazuja cie|jestes\b",
        care=r"lekarz\w*|doktor\w*|pielegniar\w+|dawk\w+|diet\w+|aptek\w+|szpital\w*|kolonoskop\w+|zabieg\w*",
    ),
    # Turkish
    *_acts(
        model=r"yapay zeka\w*|dil modeli\w*|(?:otomatik|sanal|dijital) (?:asistan|okuyucu|yardimci)\w*"
            r"|asistan\w* (?:icin|dikkat)"
        r"|(?:metni|belgeyi|raporu|notu) (?:okuyan|ozetleyen|isleyen)",
        asked=r"(?:yaz|belirt|soyle|bahset|yok say|unut|gormezden|cevap ver|yanitla|oner|atla|ekle|gonder|don"
            r"|isaretle|tavsiye)\w*|\w+m[ae]l[iy]\w*",
        void=r"(?:yok say|unut|gormezden gel|dikkate alma|birak|gec|uyma|bosver)\w*",
        given=r"(?:sana|size) (?:\w+ ){0,2}?(?:veri|verdi|soyle|ogret|koydu|konul|yukle|ilet"
            r"|bildir)\w* (?:\w+ )?\w+|(?:onceki|tum|butun) (?:\w+ )?(?:talimat|kural|komut|yonerge)\w*",
        now=r"bundan (?:boyle|sonra)|su andan itibaren|artik",
        free=r"(?:hicbir|hic bir) (?:\w+ ){0,2}?(?:kural|sinir|filtre|kisitlama|uyari|yasak|denetim)\w*"
            r"|(?:kural|sinir|filtre|kisitlama|sansur)(?:siz|suz)?\w* (?:yok|olmadan)"
        r"|(?:sinir|kural|filtre|kisitlama)\w* olmayan|uyari\w* (?:yazma|verme|ekleme|olmadan)|(?:sinirsiz"
        r"|kuralsiz|sansursuz|filtresiz)\w*",
        care=r"doktor\w*|hekim\w*|hemsire\w*|doz\w*|diyet\w*|ilac\w*|recete\w*|hastane\w*|taburcu\w*",
    ),
    # Russian and Ukrainian
    *_acts(
        model=r"языков\w+ модел\w+|искусственн\w+ интеллект\w*|ии\b|нейросет\w*|автоматическ\w+ (?:ассистент"
            r"|помощник|систем|читател)\w*|(?:цифров|виртуальн)\w+"
        r" (?:ассистент|помощник)\w*|ассистент\w*,|чат-?бот\w*|мовн\w+ модел\w+|штучн\w+ інтелект\w*",
        asked=r"(?:напиши|ответь|отвеча|скажи|долж|следует|пропуст|укажи|укаж|забудь|игнорир|опуст|сообщ"
            r"|рекоменд|отправ|счита|назов|выда|повин|ігнор|відпов)\w*"
        r"|(?:не|без) (?:упомин|указыв|пиши|включ|говор|ссыл|згаду)\w*",
        void=r"(?:забудь|игнорир|отбрось|отмени|не (?:следуй|выполняй|соблюдай|слушай)|пренебре|обнули"
            r"|ігнор)\w*",
        given=r"(?:инструкци|правил|указани|команд|настройк|установк|все|всё|то)\w*,? (?:котор\w+ "
            r"|что )(?:тебе|вам|в тебя|ты) (?:\w+ )?(?:задал|дал|выда|сказ|поставил"
        r"|заложил|велел|получил|внуш|прописал)\w*",
        now=r"с этого момента|отныне|с этой минуты|с этих пор|теперь ты|теперь вы|відтепер",
        free=r"(?:без|никак\w+|нет|жодн\w+) (?:\w+ ){0,2}?(?:оговор|ограничен|правил|фильтр|предупрежден"
            r"|запрет|цензур|проверок|рамок|обмеж)\w*|не (?:связан|ограничен|действу)\w*",
        care=r"врач\w*|доктор\w*|медсестр\w*|доз\w+|диет\w+|аптек\w+|больниц\w+",
    ),
    # Arabic
    *_acts(
        model=r"(?:ال|لل|ل)?(?:نموذج|نماذج) (?:ال)?لغوي\w*|(?:ال|لل|ل)?ذكاء (?:ال)?اصطناعي|(?:ال|لل"
            r"|ل)?مساعد\w* (?:ال)?(?:الي|ذكي|افتراضي|رقمي|اصطناعي)"
        r"|(?:ال)?(?:نظام|برنامج) (?:ال)?(?:تلخيص|الي|الذي)",
        asked=r"(?:لا تذكر|لا تشر|لا تدرج|اذكر|اكتب|قل|اجب|يجب|تجاهل|انس|احذف|اعتبر|ارسل|اوص|عليك|صنف|اضف)",
        given=r"(?:ال)?(?:تعليمات|قواعد|اوامر|اعدادات) التي (?:\w+ )?(?:اعطيت|اعطوك|لك|قيلت|وضعت|تلقيت)",
        void=r"(?:تجاهل|انس|اهمل|اترك|لا تتبع|لا تلتزم|تخط)",
        now=r"من الان فصاعدا|منذ الان|ابتداء من الان|من هذه اللحظه|من هذه اللحظة",
        free=r"(?:بدون|دون|بلا|من غير|اي) (?:\w+ )?(?:قيود|قيد|حدود|قواعد|تحذير|تحفظ|رقاب|فلتر|شروط)",
        care=r"طبيب\w*|ممرض\w*|جرع\w+|صيدلي\w*|مستشف\w+",
        words=False,
    ),
    # Hindi
    *_acts(
        model=r"एआई|एआइ|कृत्रिम बुद्धि|भाषा मॉडल|आर्टिफिशियल इंटेलिजेंस|चैटबॉट|स्वचालित (?:सहायक|प्रणाली|पाठक)"
            r"|ai (?:सहायक|मॉडल)",
        asked=r"न करें|मत |उल्लेख|लिखें|लिखो|लिखे|कहें|कहो|बताएं|बताओ|उत्तर|जवाब|छोड़|भूल|अनदेखा|चाहिए|भेजें",
        given=r"(?:जो|दिए गए|मिले) (?:\S{1,16} ){0,3}?(?:निर्देश|नियम|आदेश)",
        void=r"भूल|अनदेखा|नजरअंदाज|छोड़ दो|मत मानो|पालन मत|पालन न",
        now=r"अब से|आज से|इसके बाद से",
        free=r"(?:बिना|कोई) (?:\S{1,16} ){0,2}?(?:नियम|रोक|सीमा|चेतावनी|प्रतिबंध|फिल्टर|पाबंदी)",
        care=r"डॉक्टर|नर्स|दवा|खुराक|अस्पताल",
        words=False,
    ),
    # Chinese, Japanese, Korean
    *_acts(
        model=r"人工智[能慧]|[语語]言模型|大模型|(?<![a-z])ai(?:助手|助理|模型|系[统統]|工具|摘要)|智能助[手理]|自[动動](?:摘要|阅读|閱讀|助手|系统|處理|处理)"
            r"|[读讀]取?(?:本|此)文[^。]{0,6}(?:模型|系[统統]|程序)"
        r"|致[^。]{0,8}(?:模型|助手|机器人|機器人)",
        asked=r"不要|不得|请|請|必[须須]|[应應]|回答|[说說]明|忽略|忘[记記]|省略|写|寫|[标標][记記]|推[荐薦]|告[诉訴]|[输輸]出|[视視][为為]|[当當]作",
        given=r"(?:给|給|告[诉訴]|交代|要求)(?:你|您)的(?:所有|一切|全部|那些|系[统統])?(?:指令|[规規][则則]|要求|[设設]定|限制|指示|[话話])|你(?:收到|得到"
            r"|被)[^。]{0,6}(?:指令|[规規][则則]|[设設]定)",
        void=r"忽略|忘|不[用必要再]|[无無][视視]|[抛拋][开開]|放下|作[废廢]|[取撤]消",
        now=r"从现在(?:起|开始)|從現在(?:起|開始)|今后|今後|此后|此後",
        free=r"不受|[没沒]有(?:任何)?(?:限制|[规規][则則]|[过過][滤濾]|[约約]束|禁忌)|[无無]需(?:警告|提醒|[审審])|不(?:要|必|用|再)(?:警告|提醒|拒[绝絕]"
            r"|[审審])|任何[问問][题題]都",
        care=r"医生|醫生|护士|護士|药|藥|剂量|医院",
        words=False,
    ),
    *_acts(
        model=r"人工知能|言語モデル|(?<![a-z])ai(?:アシスタント|モデル|システム|へ|は|が|に|の方)|生成ai|自動(?:要約|応答|読み取り)|要約(?:システム|プログラム"
            r"|ソフト|ai)|チャットボット",
        asked=r"ください|下さい|しないで|せよ|すること|しろ|なさい|無視|回答|触れ|記載|省略|述べ|答え|書い|書く|べき|報告",
        given=r"(?:与えられた|受けた|もらった|教えられた|設定された)(?:すべて|全て)?の?(?:指示|規則|ルール|命令|設定|制約)|(?:開発者|運営|病院)(?:から"
            r"|が)の?[^。]{0,8}(?:指示|設定|ルール)",
        void=r"無視|忘れ|従わ|捨て|破棄|無効|考えな",
        now=r"これからは|今から|これ以降|今後は",
        free=r"制限(?:なし|のない|なく|を受け)|警告(?:なし|せず|を付けず)|規則に(?:縛られ|従わ)|何でも答え|ルール(?:なし|はない)",
        care=r"医師|看護|薬|病院の先生|手術",
        words=False,
    ),
    *_acts(
        model=r"인공지능|언어 ?모델|(?<![a-z])ai ?(?:모델|비서|어시스턴트|시스템|는|가|에게)|챗봇"
        r"|자동 ?(?:요약|응답)|요약 ?(?:프로그램|시스템)",
        asked=r"하라|하세요|하십시오|하지 ?마|말라|말 것|마세요|무시|답|언급|써|쓰|생략|해야|적어|기재",
        given=r"(?:이전|지금까지|앞선|받은|주어진|모든)(?:의)? ?(?:\S{1,12} )?(?:지시|규칙|명령|지침|설정)"
        r"|시스템 ?(?:프롬프트|메시지|지침)",
        void=r"무시|잊|따르지|버려|무효|보여|출력|공개|알려",
        now=r"지금부터|이제부터|앞으로",
        free=r"(?:제한|규칙|경고|필터|검열) ?(?:없이|없는|을 따르지)|무엇이든 답",
        care=r"의사|간호사|약사|복용|병원|수술|식이",
        words=False,
    ),
    # Vietnamese and Indonesian
    *_acts(
        model=r"mo hinh (?:ngon ngu|ai)|tri tue nhan tao|tro ly (?:ai|ao|so|thong minh)|he thong tom tat"
            r"|chatbot|(?:may|phan mem) (?:doc|tom tat)|model bahasa|kecerdasan buatan"
        r"|asisten (?:ai|virtual|digital)",
        asked=r"khong (?:nhac|de cap|neu|ghi|duoc)|dung|hay|phai|tra loi|bo qua|quen|noi rang|ghi|viet|luon"
            r"|jangan|harus|jawab\w*|tulis\w*|abaikan|sebut\w*|lupakan|katakan|sertakan",
        given=r"(?:huong dan|quy tac|chi thi|lenh|moi thu|nhung gi|cau hinh) (?:\w+ ){0,3}?(?:cho ban"
            r"|ban (?:da |duoc )?nhan|ban duoc|da dat|da dan)|(?:semua|seluruh) (?:instruksi|aturan|perintah)",
        void=r"quen|bo qua|bo|dung|khong can|gat|abaikan|lupakan",
        now=r"tu (?:bay gio|gio|luc nay|nay)|ke tu (?:bay gio|luc nay)|mulai sekarang",
        free=r"khong (?:\w+ ){0,2}?(?:gioi han|quy tac|canh bao|bo loc|han che|kiem duyet|rang buoc)"
            r"|tanpa (?:\w+ )?(?:batas|aturan|filter|peringatan)\w*",
        care=r"bac si|y ta|dieu duong|lieu|thuoc|benh vien|dokter|perawat|obat",
    ),
    Act(
        "role",
        GIVEN,
        Sieved(
            fold_pattern(
                r"\b(?:haz|actua|responde|contesta|imagina|finge|habla) (?:\w+ ){0,2}?(?:como si"
                r"|que) no (?:tuvieras|tuvieses|hubiera|existier\w+)\b"
                r"|\b(?:fais|agis|reponds|imagine|parle) (?:\w+ ){0,2}?(?:comme si|que) (?:tu n'avais"
                r"|tu n'etais|il n'y avait)\b"
                r"|\b(?:tu|handle|antworte|sprich) (?:\w+,? ){0,2}?als (?:ob du|hattest du|warst du"
                r"|gabe es) (?:\w+ ){0,3}?(?:kein\w*|nicht|ohne)\b"
                r"|\bdu darfst (?:\w+ ){0,3}?alles (?:sagen|tun|verraten|beantworten|schreiben)\b"
                r"|\b(?:aja|finja|responda|fale|imagine) (?:\w+ ){0,2}?(?:como se|que) nao (?:tivesse|houvesse"
                r"|existisse)\w*"
                r"|\b(?:agisci|fai|fingi|rispondi|parla|immagina) (?:\w+ ){0,2}?(?:come se|che"
                r"|di) non (?:avessi|ci foss\w+|esistess\w+|aver)\b"
            )
        ),
    ),
    Act(
        "role",
        GIVEN,
        Sieved(
            fold_pattern(
                r"(?:假装|假裝|假设|假設|就当|想象)(?:你)?(?:没有|沒有|不存在|不受)"
                r"|(?:притворись|представь|веди себя|отвечай),? (?:\w+ )?(?:что|как будто|будто"
                r"|словно) (?:у тебя )?(?:нет|без|не существует)"
            )
        ),
        ascii_only=False,
    ),
)  # fmt: skip
