"""Words that are written with a full stop and do not, or need not, end a sentence.

Without the last stop; those of several letters with stops in between are written with them
(``e.g``). English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian and the
Scandinavian languages.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEVER: Final = _words(
    """
    mr mrs ms messrs mx dr drs prof profs gov sen capt cpt sgt cmdr adm maj
    e.g i.e eg ie cf viz vs approx esp incl excl dept. attn asst
    hr hrn frl dipl bzw bspw z.b z.bsp d.h d.i u.a u.u i.a i.v a.d a.o o.ä v.a s.o s.u lt vgl sog
    ggf evtl inkl exkl zzgl abzgl geb verh zz zt z.zt z.t hrsg jh jhdt mrd tsd bd
    mme mlle mmes env p.ex c.-à-d n.b vve
    sra srta srs dra dres dª sta p.ej ud uds vd vds
    sig sig.ra sig.na sigg dott dott.ssa prof.ssa avv geom spett egr
    exmo exma ilmo ilma profa dna
    dhr mevr mw mej ir bijv d.w.z i.p.v i.v.m m.b.t o.a t.a.v t.n.v a.u.b
    tzn tj tzw m.in inż św godz
    т.е т.к т.н им ул г-н г-жа проф акад см напр тыс млн млрд
    bl.a f.eks t.ex d.v.s dvs fr.o.m t.o.m s.k jf
    """
)
"""Followed by what they belong to: never the end of a sentence on the same line."""

NUMBERED: Final = _words(
    """
    no nos nr nrs p pp pg pgs page fig figs sec secs art arts ch chap cl para paras par vol vols ed
    eds eq eqs ex app ver rev ref sect tab lit lib abs abt anm anl kap ziff rn s ss f ff ext rm fl
    pag pagg pág págs núm núms cap fol num blz afb hfst poz ст гл п пп рис табл § nº n° sch item tit
    jan feb mar apr jun jul aug sep sept oct nov dec
    """
)
"""Followed by a number they belong to it; else they are like other words, or as listed below."""

ENDING: Final = _words(
    """
    etc a.m p.m a.d b.c c.e b.c.e usw usf u.s.w u.s.f ecc osv itd itp al u.v.m uvm m.fl m.m mfl
    т.д т.п др esq ph.d m.d b.a m.a b.sc m.sc d.d.s ll.b ll.m r.n j.d
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun
    janv févr avr juil déc abr dic
    hrs mins secs yrs min sec oz lb lbs kg km cm mm mph max est misc temp ca г гг вв
    """
)
"""May end a sentence: they do where what follows begins with a capital."""

NAMING: Final = _words(
    """
    inc ltd co corp llc plc lp llp bros u.s u.s.a u.k e.u u.n d.c n.y l.a gmbh ag kg ohg e.v e.k
    s.a s.a.s s.r.l s.p.a s.l s.l.u n.v b.v sarl ltda cia cía c.v d.o.o z.o.o s.c s.à.r.l a.s a.g
    jr sr st ste mt ft ave blvd rd hwy pkwy apt univ dept inst assn natl intl
    govt str fr rev hon gen col rep pres m me av avda avd mag ing doc hab arq eng sto gent gem ul np
    op resp tel re mbh
    """
)
"""Part of a name: they end a sentence where a word follows that often begins one."""

EXCLAIMING: Final = _words("yahoo jeopardy yum oxxo")
"""Names written with ! or ?."""

STARTERS: Final = _words(
    """
    The A An This That These Those There Here It He She We They You I My Our Your His Her Its Their
    In On At For From With After Before When While If Although Because As Since But And Or So Yet
    However Then Thus Therefore Please What Why Who Where How Which Is Are Was Were Do Does Did Can
    Could Would Should Will Not No Yes All Some Many Most Both Each Every Any Other Another
    Let Thanks Also Now Today Once Nobody None Nothing
    Der Die Das Ein Eine Es Er Sie Wir Ihr Ich Im Am Auf Bei Nach Vor Mit Und Aber Oder Wenn Als
    Da Dann Dies Diese Dieser Dieses Bitte Kein Keine Auch Wie Was Wer Wo Warum Danach
    Le La Les Un Une Des Il Elle On Nous Vous Ils Elles Ce Cette Ces Cela Je Mais Et Ou Dans Pour
    Sur Avec Si Quand Qui Que Quel Quelle Pourquoi Merci
    El Los Las Una Ella Ellos Este Esta Esto Eso Pero Y En Por Para Con Cuando Quien
    Lo Gli Uno Questo Questa Ma Per Nel Nella Quando Chi Che Non
    O Os As Um Uma Ele Ela Eles Isto Mas Em No Na Não
    De Het Een Dit Dat Hij Zij Wij Ik Maar Voor Met Als Wat Wie
    В На И Но Он Она Они Мы Вы Это Эта Что Как Когда Если Не По За Для
    """
)
"""Capitalised words that seldom stand inside a name."""

ORDINAL_BEFORE: Final = _words(
    "am der die das den dem des im vom zum zur bis seit ab und jeder jeden jedes einem unser"
)
"""German words after which a number with a stop is an ordinal."""
