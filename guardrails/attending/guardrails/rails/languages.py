"""Orders to a model in languages other than English: a verb of setting aside near its instructions, a part without
limits, a verb of telling near a hidden text.

One row a language. Words are folded as texts are (`folding.fold_pattern`), so accents and look-alikes do not matter.
`care` are the words by which the same sentence is about a clinic's instructions and no attack.
"""

# ruff: noqa: RUF001 - letters of other scripts are what is read here

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attending.guardrails.rails.folding import fold_pattern
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class Language:
    """`patterns` are (family, pattern); `care` excuses a hit of family override where it is in the same sentence."""

    code: str
    ascii_only: bool
    patterns: tuple[tuple[str, Sieved], ...]
    care: Sieved


def _language(
    code: str,
    *,
    ignore: str,
    rules: str,
    everything: str,
    free: str,
    tell: str,
    private: str,
    care: str,
    spaced: bool = True,
    after: bool = False,
    marks: bool = False,
) -> Language:
    """`after` where the verb follows its object; `spaced` where words have spaces between them; `marks` where signs
    inside a word are no letters to `re`, so that it sees borders of words there."""
    words = (
        r"(?:[\s,:'\"()-]{1,3}[^\s.!?]{1,20}){0,5}?[\s,:'\"()-]{1,3}"
        if spaced
        else r"[^\s.!?\u3002\uff01]{0,12}?"
    )
    begin, end = (r"\b", r"\b") if spaced and not marks else ("", "")
    objects = f"{begin}(?:{rules}){end}"
    verbs = f"{begin}(?:{ignore})"
    patterns = [f"{verbs}{words}{objects}"]
    if after:
        patterns.append(f"{objects}{words}(?:{ignore})")
    found = [("override", one) for one in patterns]
    found.append(("override", f"{begin}(?:{everything})"))
    found.append(("role", f"{begin}(?:{free})"))
    found.append(("extraction", f"{begin}(?:{tell}){words}(?:{private})"))
    if after:
        found.append(("extraction", f"(?:{private}){words}(?:{tell})"))
    return Language(
        code,
        fold_pattern(rules).isascii(),
        tuple((family, Sieved(fold_pattern(pattern))) for family, pattern in found),
        Sieved(fold_pattern(care)),
    )


LANGUAGES: Final[tuple[Language, ...]] = (
    _language(
        "es",
        ignore=r"ignor(?:a|e|ad|en|ar|es|ando)|olvid(?:a|ad|ate|ese|ar|es)(?: de)?|haz caso omiso de|no (?:sigas"
        r"|hagas caso|obedezcas|cumplas|respetes|tengas en cuenta)"
        r"|desobede(?:ce|zca)|descarta|dej\w+ de (?:seguir|lado)|pasa por alto|salta(?:te)?|anula",
        rules=r"(?:tus|todas (?:las|tus|sus)|las|sus|estas|cualquier) (?:\w+ )?(?:instrucciones|reglas|ordenes"
        r"|directrices|normas|restricciones|indicaciones|pautas|limitaciones)"
        r"(?: (?:anteriores|previas|del sistema|ocultas|de seguridad))?|tus (?:programadores|creadores"
        r"|desarrolladores)|politica de contenido",
        everything=r"haz caso omiso de todo|(?:olvida|ignora) todo lo|(?:nuevas"
        r"|verdaderas) instrucciones del sistema",
        free=r"(?:eres|actua|responde|contesta|comportate|finge|imagina)\b[^.!?\n]{0,50}\b(?:sin (?:ningun[ao]? "
        r"|ningunas? )?(?:limites?|filtros?|restriccion(?:es)?|reglas|censura|advertencias?|avisos?|reservas?"
        r"|controles)|ilimitad[oa])",
        tell=r"(?:cual es|que dice|muestra|muestrame|revela|dime|di|imprime|repite|ensena|escribe|dame|copia|ver"
        r"|mostrar)\w{0,4}",
        private=r"(?:prompt|mensaje|instrucciones) (?:del|de) sistema|instrucciones (?:ocultas|secretas)"
        r"|system prompt|(?:tus"
        r"|sus) (?:\w+ )?(?:instrucciones|reglas|directrices) (?:ocultas|secretas|internas|iniciales)"
        r"|(?:tus|sus) (?:instrucciones|prompt)\b",
        care=r"\b(?:medic\w+|doctora?|enfermer\w+|ayuno|dosis|dieta|pastillas?|hospital|farmac\w+|receta"
        r"|analisis"
        r"|operacion|cirugi\w+|paciente)\b",
    ),
    _language(
        "fr",
        ignore=r"(?<!j'ai )(?<!ai )(?<!avons )(?<!avez )(?:ignore[zr]?|ignorer|oublie[zr]?)|ne (?:tiens"
        r"|tenez) (?:pas|plus|aucun) compte|ne (?:suis|suivez|respecte[zr]?|obeis\w*) (?:pas|plus)"
        r"|fais abstraction|faites abstraction|passe outre|desobeis\w*|contourne[zr]?|mets de cote",
        rules=r"(?:tes|vos|toutes (?:les|tes|vos)|les|ces|des|aux|a tes) (?:\w+ )?(?:instructions|consignes"
        r"|regles"
        r"|directives|ordres|restrictions|limites|principes)"
        r"(?: (?:precedentes|anterieures|du systeme|cachees|de securite))?|tes (?:developpeurs|createurs"
        r"|concepteurs)",
        everything=r"(?:oublie[zr]?|ignore[zr]?) tout ce (?:qu|que|qui)|(?:nouvelles"
        r"|vraies) instructions du systeme",
        free=r"(?:tu es|vous etes|agis|agissez|reponds|repondez|comporte-toi|fais comme"
        r"|imagine)\b[^.!?\n]{0,50}\b(?:(?:sans|n'avais|n'as|aucune?) (?:aucune? |de )?(?:limites?|filtres?"
        r"|restrictions?|regles?|censure|ethique|avertissements?|mises? en garde|reserves?|precautions?)"
        r"|illimitee?)",
        tell=r"(?:quel est|quels sont|affiche|montre|revele|dis|donne|imprime|repete|ecris|copie"
        r"|devoile)\w{0,3}(?:-moi)?",
        private=r"(?:prompt|message|instructions|invite) (?:du )?systeme|(?:instructions|consignes) (?:cachees"
        r"|secretes)|(?:ton|votre) prompt|system prompt|(?:tes"
        r"|vos) (?:\w+ )?(?:instructions|consignes|regles) (?:cachees|secretes|internes|initiales)|(?:ton"
        r"|votre) prompt",
        care=r"\b(?:medecin|docteur|infirmi\w+|jeun|dose|regime|comprimes?|hopital|pharmac\w+|ordonnance"
        r"|analyses?"
        r"|operation|chirurg\w+|coloscopie|patiente?)\b",
    ),
    _language(
        "de",
        ignore=r"ignorier(?:e|en|t)|vergiss|vergessen sie|missachte\w*|befolg(?:e|en sie)|halte? (?:dich"
        r"|sie sich) nicht|folg(?:e|en sie) nicht|beachte nicht|umgeh(?:e|en)|verwirf|setze? dich (?:uber"
        r"|hinweg)",
        rules=r"(?:alle[rn]? |die |deine[nr]? |ihre[nr]? |jede |an die |an deine |samtliche |bisherigen "
        r"|vorherigen "
        r"|vorigen |obigen |fruheren ){1,4}(?:\w+ )?(?:anweisungen|instruktionen|regeln|vorgaben|richtlinien"
        r"|befehle"
        r"|einschrankungen|anordnungen)"
        r"|systemvorgaben|systemanweisungen|systemprompt|deine[nr]? (?:entwickler|programmierer)n?",
        everything=r"(?:vergiss|ignoriere?) alles,? was|neue systemanweisung",
        free=r"(?:du bist|verhalte dich|antworte|tu so|handle|agiere|benimm dich"
        r"|stell dir vor)\b[^.!?\n]{0,50}\b(?:(?:ohne|keine(?:rlei)?) (?:jede |jegliche "
        r"|irgendwelche )?(?:regeln"
        r"|einschrankungen|grenzen|filter|richtlinien|beschrankungen|zensur|vorgaben|warnhinweise|warnungen"
        r"|vorbehalte?"
        r"|rucksicht)|uneingeschrankt\w*"
        r"|ungefiltert\w*)",
        tell=r"(?:wie lautet|was steht in|zeig|gib|nenn|verrat|schreib|wiederhol|druck|offenbar|sag)\w{0,3}",
        private=r"system-?prompt|(?:versteckten?|geheimen?) (?:anweisungen|regeln|vorgaben)|systemnachricht"
        r"|systemanweisung\w*|(?:deine|ihre) (?:\w+ )?(?:versteckten|geheimen"
        r"|internen|ursprunglichen) (?:anweisungen|regeln|vorgaben)",
        care=r"\b(?:arzt\w*|arzte\w*|doktor|schwester|pfleger\w*|nuchtern|dosis|diat|tabletten?|krankenhaus"
        r"|klinik"
        r"|apotheke\w*|rezept|blutwert\w*|operation|patient\w*)\b",
    ),
    _language(
        "pt",
        ignore=r"ignor(?:e|a|em|ar)|esque(?:ca|ce|cam)(?:-se)?(?: de)?|desconsider\w+|nao (?:siga|sigas|obedeca"
        r"|cumpra|respeite|leve em conta)|desobede\w+|descarte|deix\w+ de (?:seguir|lado)|contorne",
        rules=r"(?:as|suas|tuas|as suas|as tuas|todas as|todas as suas|todas|essas|aos seus"
        r"|seus) (?:\w+ )?(?:instrucoes|regras|ordens|diretrizes|normas|restricoes|orientacoes|limitacoes"
        r"|programadores|desenvolvedores|criadores)"
        r"(?: (?:anteriores|previas|do sistema|ocultas))?",
        everything=r"(?:desconsidere|ignore|esqueca) tudo o? ?que|(?:novas|verdadeiras) instrucoes do sistema",
        free=r"(?:voce e|tu es|aja|atue|responda|comporte-se|finja"
        r"|imagine)\b[^.!?\n]{0,50}\b(?:sem (?:nenhum[a]? "
        r"|quaisquer )?(?:limites?|filtros?|restric(?:ao|oes)|regras|censura|avisos?|alertas?|reservas?)"
        r"|ilimitad[oa])",
        tell=r"(?:qual e|mostr|revel|diga|imprim|repit|escrev|exib|copi|conte)\w{0,4}(?:-me)?",
        private=r"(?:prompt|mensagem|instrucoes) (?:do|de) sistema|instrucoes (?:ocultas|secretas)|system prompt"
        r"|(?:suas"
        r"|tuas) (?:\w+ )?(?:instrucoes|regras|diretrizes) (?:ocultas|secretas|internas|iniciais)|seu prompt",
        care=r"\b(?:medic\w+|doutora?|enfermeir\w+|jejum|dose|dieta|comprimidos?|hospital|farmac\w+|receita"
        r"|exames?"
        r"|cirurgi\w+|curativo|paciente|sintomas?)\b",
    ),
    _language(
        "it",
        ignore=r"ignor(?:a|are|i|ate)|dimentic(?:a|are|hi|ate|ati)(?: di)?|non (?:seguire|segua|rispettare"
        r"|obbedire"
        r"|tenere conto|ascoltare)|disobbedis\w+|trascura|scarta|lascia perdere|aggira",
        rules=r"(?:le|tue|le tue|tutte le|tutte le tue|queste|alle|ai|ai tuoi|delle tue|delle"
        r"|i tuoi) (?:\w+ )?(?:istruzioni|regole|ordini|direttive|linee guida|norme|restrizioni|indicazioni"
        r"|programmatori|sviluppatori|creatori)"
        r"(?: (?:precedenti|del sistema|nascoste))?",
        everything=r"(?:dimentica|ignora) tutto (?:cio|quello|quanto)|(?:nuove|vere) istruzioni di sistema",
        free=r"(?:sei|agisci|rispondi|comportati|fai finta|fingi|immagina)\b[^.!?\n]{0,50}\b(?:(?:senza"
        r"|non avere"
        r"|nessun[ao]?) (?:alcun[ao]? |nessun[ao]? )?(?:limit[ei]|filtr[oi]|restrizion[ei]|regol[ae]|censura"
        r"|avvertenz[ae]|avvis[oi]|riserv[ae])"
        r"|illimitat[oa])",
        tell=r"(?:qual e|mostra|rivela|dimmi|stampa|ripeti|scrivi|dammi|copia|svela)\w{0,3}",
        private=r"(?:prompt|messaggio|istruzioni) (?:di|del) sistema|istruzioni (?:nascoste|segrete)"
        r"|system prompt"
        r"|(?:le tue"
        r"|tue) (?:\w+ )?(?:istruzioni|regole) (?:nascoste|segrete|interne|iniziali)|il tuo prompt",
        care=r"\b(?:medic\w+|dottor\w*|infermier\w+|digiuno|dose|dieta|pastigli\w+|compress\w+|ospedale"
        r"|farmaci\w+"
        r"|ricetta|prelievo|esam[ei]|intervento|paziente)\b",
    ),
    _language(
        "vi",
        ignore=r"bo qua|bo mac|phot lo|lo di|(?:hay )?quen|dung (?:tuan theo|lam theo|nghe|de y)"
        r"|khong (?:tuan theo"
        r"|lam theo|can tuan)|vo hieu hoa",
        rules=r"(?:huong dan|chi dan|quy tac|chi thi|lenh|quy dinh|chinh sach|gioi han)(?: (?:truoc|tren|cua"
        r"|he thong|do))?",
        everything=r"(?:quen|bo qua) (?:moi|tat ca) (?:thu|dieu|nhung gi)",
        free=r"(?:ban la|dong vai|tra loi|hanh dong|gia vo|hay la)\b[^.!?\n]{0,50}\b(?:(?:khong (?:co "
        r"|bi )?)(?:bo loc|gioi han|quy tac|han che|rang buoc|kiem duyet))",
        tell=r"(?:hien thi|tiet lo|cho (?:toi )?(?:biet|xem)|in ra|viet ra|lap lai|noi)",
        private=r"(?:loi nhac|thong bao|chi dan|huong dan|tin nhan) (?:he thong|an|bi mat|noi bo)|system prompt",
        care=r"\b(?:bac si|y ta|dieu duong|lieu|thuoc|xet nghiem|phau thuat|benh vien|nhin an|an kieng"
        r"|benh nhan)\b",
    ),
    _language(
        "tl",
        ignore=r"balewalain|kalimutan|huwag (?:mo(?:ng)? |ninyong )?(?:sundin|pansinin|susundin|intindihin)"
        r"|suwayin"
        r"|isantabi|lampasan",
        rules=r"(?:tagubilin|patakaran|utos|alituntunin|panuntunan|instruksyon|limitasyon|direktiba"
        r"|instructions?"
        r"|rules)",
        everything=r"(?:kalimutan|balewalain) (?:mo )?ang lahat ng (?:sinabi|nauna)",
        free=r"(?:ikaw ay|kumilos|sumagot|magpanggap|umarte|tumugon)\b[^.!?\n]{0,50}\b(?:(?:walang"
        r"|nang walang) (?:limitasyon|filter|patakaran|hangganan|bawal|paghihigpit|restriksyon))",
        tell=r"(?:ipakita|ibunyag|sabihin|ilabas|isulat|ulitin|ibigay)",
        private=r"system prompt|mensahe ng sistema|(?:nakatagong?|lihim na?|sikretong?) (?:\w+ )?(?:tagubilin"
        r"|utos"
        r"|patakaran|instruksyon)",
        care=r"\b(?:doktor\w*|nars|gamot|dosis|ospital|operasyon|pagkain|kumain|pasyente|reseta|pagsusuri)\b",
    ),
    _language(
        "ru",
        ignore=r"игнорир\w+|забудь\w*|не (?:следуй|выполняй|слушай|соблюдай|подчиняйся"
        r"|обращай внимания на)\w{0,3}"
        r"|отбрось\w*|отмени\w*|обойди\w*|нарушь\w*|пренебреги\w*",
        rules=r"(?:инструкци\w+|правил\w*|указани\w+|команд\w*|ограничени\w+|директив\w*|политик\w*"
        r"|разработчик\w*"
        r"|предписани\w+)",
        everything=r"(?:забудь|игнорируй)\w* все,? что",
        free=r"(?:ты|вы|отвечай|веди себя|действуй|представь|притворись)\b[^.!?\n]{0,50}\b(?:без (?:каких-либо "
        r"|всяких |любых )?(?:ограничени\w+|правил|фильтр\w+|запрет\w+|цензур\w+|рамок|предупреждени\w+"
        r"|оговорок|проверок)|неограниченн\w+)",
        tell=r"(?:какой|каков|покажи|раскрой|выведи|напиши|повтори|скажи|открой|выдай)\w{0,3}",
        private=r"системн\w+ (?:промпт\w*|сообщени\w+|инструкци\w+|подсказк\w+)|(?:скрыт|секретн|внутренн"
        r"|тайн)\w+ (?:инструкци\w+|правила|указания)|свой промпт",
        care=r"(?:врач\w*|доктор\w*|медсестр\w*|доз\w+|диет\w+|таблет\w+|больниц\w+|аптек\w+|рецепт\w*|анализ\w*"
        r"|операци\w+|пациент\w*)",
    ),
    _language(
        "ar",
        ignore=r"تجاهل\w*|انس\w*|لا تتبع|لا تلتزم|لا تطع|لا تنفذ|اهمل\w*|تخط\w*|خالف\w*",
        rules=r"(?:ال|ب|ل|بال|لل)?(?:تعليمات|قواعد|توجيهات|ارشادات|اوامر|سياس\w+|قيود|مطور\w+)\w{0,3}",
        everything=r"(?:تجاهل|انس) كل ما",
        free=r"(?:انت|اجب|تصرف|تظاهر|رد|تخيل)(?:\s\w+)?[^.!?\n]{0,50}(?:(?:بدون|دون|بلا"
        r"|من دون) (?:اي )?(?:قيود|حدود"
        r"|قواعد|مرشحات|فلاتر|رقابه|رقابة))",
        tell=r"(?:اعرض|اظهر|اكشف|اخبرني|اكتب|اطبع|كرر|قل)\w{0,3}",
        private=r"رساله النظام|رسالة النظام|موجه النظام|تعليمات النظام|(?:تعليماتك|قواعدك|اوامرك)",
        care=r"(?:طبيب\w*|الدكتور|ممرض\w*|جرع\w+|صيام|دواء|الادوي\w+|مستشفي\w*|مستشفى|عملي\w+|تحليل\w*|مريض"
        r"|صيدلي\w*)",
    ),
    _language(
        "hi",
        ignore=r"अनदेखा|अनदेखी|नजरअंदाज|नज़रअंदाज़|भूल जा|भूलो|भुला दो|पालन (?:मत|न|ना)|मत मानो|न मानो|उल्लंघन",
        rules=r"(?:दिशानिर्देश|निर्देश|नियम|आदेश|नीति|प्रतिबंध)\S{0,4}",
        everything=r"सब कुछ भूल जा|पहले कही गई सभी बातें भूल",
        free=r"(?:बिना (?:किसी )?(?:सीमा|प्रतिबंध|नियम|फिल्टर|रोक))[^.!?\n।]{0,50}(?:मॉडल|जवाब|उत्तर|एआई|व्यवहार"
        r"|सहायक)",
        tell=r"(?:दिखाएं|दिखाओ|दिखाइए|बताओ|बताएं|बताइए|प्रकट|लिखो|दोहराओ)",
        private=r"सिस्टम प्रॉम्प्ट|सिस्टम संदेश|(?:छिपे|छुपे|गुप्त)\S{0,3} (?:हुए )?(?:निर्देश|नियम)\S{0,3}",
        care=r"(?:डॉक्टर|नर्स|दवा|खुराक|अस्पताल|ऑपरेशन|जांच|मरीज|भोजन|खाने)",
        after=True,
        marks=True,
    ),
    _language(
        "zh",
        ignore=r"忽略|无视|無視|忘记|忘記|忘掉|别管|別管|不要遵守|不要遵循|不要服从|不用遵守|不必遵守|绕过|繞過|抛开|违反|取消|不要理会|拋開",
        rules=r"指令|指示|规则|規則|规定|規定|提示词|提示詞|系统提示|系統提示|命令|准则|限制|约束|政策|安全策略",
        everything=r"(?:忘记|忽略|无视)(?:以上|之前|前面)(?:的)?(?:所有|一切|全部)(?:内容|对话|的话)",
        free=r"(?:你(?:现在)?是|扮演|假装|假裝|充当|回答|从现在起)[^\n。！]{0,16}(?:没有(?:任何)?(?:限制|规则|规定|过滤|约束|底线)|不受(?:任何)?(?:限制"
        r"|约束)"
        r"|无限制|無限制)|不受(?:任何)?限制地?(?:回答|回复)",
        tell=r"显示|顯示|告诉我|告訴我|输出|輸出|透露|公开|展示|打印|重复|重複|写出|泄露",
        private=r"系统提示|系統提示|系统指令|系統指令|系统消息|提示词|隐藏(?:的)?(?:指令|提示|规则)|内部(?:指令|规则)",
        care=r"医生|醫生|护士|药|藥|剂量|医院|手术|化验|检查|患者|饮食|空腹|禁食",
        spaced=False,
        after=True,
    ),
    _language(
        "ja",
        ignore=r"無視|忘れ|従わな",
        rules=r"指示|命令|ルール|規則|プロンプト|制限",
        everything=r"(?:以前|前|これまで|上記)(?:の|まで)?(?:すべて|全て)?の?指示を(?:無視|忘れ)",
        free=r"制限(?:の)?(?:ない|なし)[^\n。]{0,12}(?:モデル|AI|ai|アシスタント)",
        tell=r"表示|教えて|見せて|出力",
        private=r"システムプロンプト|隠された指示",
        care=r"医師|看護|薬|病院|手術|検査|患者|食事",
        spaced=False,
        after=True,
    ),
)
