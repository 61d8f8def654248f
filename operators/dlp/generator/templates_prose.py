"""Sentences of mails, chats, tickets, letters and reports, with slots for values.

``{slot}`` is filled by `operators.dlp.generator.slots`; ``«a|b|»`` is a choice of wordings.
"""

from __future__ import annotations

from typing import Final

MAIL: Final = """\
Please «send|forward|mail|ship» the signed copy to {n} at {ad}.
{n} asked me to «let you know|tell you|remind you» that the meeting has moved to {dow}.
I spoke with {n} «this morning|yesterday|last week|on {dow}» and he «agrees|is fine with it|has some concerns».
You can reach me on my cell at {ph} or «by e-mail|by mail» at {em}.
My new number is {ph}, please «delete|forget|throw away» the old one.
«Call|Ring|Phone» {f} at {ph} «if you have any questions|when you get a chance|before noon|asap».
{n} and {n2} will «join|attend|be on» the call on {date}.
Can you «add|include|copy» {em} on the thread?
I am forwarding this to {n}, who «handles|is in charge of|looks after» {dept}.
As discussed with {n2}, we will go ahead with {co}.
Thanks to {n} for the «quick|kind|very helpful» reply.
{f}, could you «look at|review|check» the attached «file|spreadsheet|draft» before {dow}?
Attached is the list that {n} «prepared|put together|sent» on {date}.
Our office has moved to {ad}.
The package was delivered to {ad} and signed for by {n}.
Best to write to {em}; I hardly check {em2} any more.
«Hi|Hello|Dear|Hey» {f},
«Hi|Hello|Dear|Good morning» {f} and {f2},
Dear «Mr.|Mrs.|Ms.|Dr.|Prof.» {l},
Dear {n},
{f} - «sounds good|works for me|fine with me|no problem». Let's talk {dow}.
{f}: please see below.
FYI - {n} is out «until {dow}|this week|on leave», so {n2} is covering.
I met {n} of {co} at the conference in {city}.
{n} «will be in|flies to|is travelling to» {city} «next week|on {date}|for the closing».
Please wire {amt} to {iban} by {date}.
Our bank details: IBAN {iban}, {co}.
My card is {card}, expires {exp}, the code on the back is {cvv}.
Please charge {amt} to {card} exp {exp}.
{f}'s «social|social security number|SSN|SS#» is {ssn}.
For the background check: {n}, born {dob}, SSN {ssn}.
The login is {usr} and the password is {pw}.
pw: {pw}
«I reset|I changed|We changed» your password to {pw}, please «change it|log in and change it» today.
user {usr} / pass {pw}
The «wifi|wi-fi|guest network|VPN» password is {pw}.
Here is the «API key|access token|secret key|token|key» you asked for: {key}
Use this «key|token» for now: {key}
Don't share it, but the «production|prod|staging» database is at {db}
You'll need the connection string {db} to get in.
This is about «matter|case|our file» {mat}; {n} is handling it.
Re: {co} v. {co2}, «Case No.|Docket No.|Civil Action No.» {mat}
Please bill your time on this to matter {mat}.
We signed «an|the» {nda} with {co} «last month|on {date}|before the call».
This is covered by the {nda}, so «keep it to yourself|do not forward it|please don't share it».
The contents of this e-mail are {nda}.
Without an executed {nda} we can't send the «model|deck|numbers|drawings».
My «passport number|passport no.» is {pass}, in case «the hotel|the airline|security» needs it.
I'll be working from {ad} for the «next two weeks|rest of the month».
«Lunch|Dinner|Drinks» with {f} and {f2} on {dow}?
{f} told me {f2} is «leaving|moving to {co}|getting married|having a baby».
Say hello to {f} and the kids.
{n} ({em}) wrote:
On {date}, {n} <{em}> wrote:
From: {n} <{em}>
From: {n} [mailto:{em}]
To: {n}; {n2}; {n3}
Cc: {n2} <{em2}>, {n3} <{em3}>
To: {em}, {em2}
Subject: «RE: |FW: |»{topic}
----- Forwarded by {n} on {date} {time} -----
{n}@{co} {date} {time}
To: {n}/HOU/ECT@ECT, {n2}/NA/Enron@Enron
cc: {n}/Corp/{co}
> {f} wrote:
Sent by: {n}
If {n} is not available, ask for {n2} at extension {num}.
The tenant, {n}, has not paid since {month}.
{n}, our «CFO|new director|head of {dept}|VP of {dept}», «approved|signed off on|rejected» it.
As {n} «pointed out|mentioned|noted», {topic} is «late|over budget|on track».
I've asked {f} to «set up|schedule|arrange» a call with {n2} and {n3}.
Congratulations to {n} on «her|his|the» promotion to {job}.
Please welcome {n}, who joins us as {job} on {date}.
The interview with {n} for the {job} position is at {time} on {dow}.
«Regards|Best|Thanks|Cheers|Sincerely|Best regards|Many thanks»,\\n{n}
«Thanks|Regards|Best»,\\n{f}
Thanks, {f}
-{f}
{n}\\n{job}, {co}\\n{ph} | {em}
{n}\\n{co}\\n{adl}\\nTel: {ph}\\nFax: {ph2}\\n{em}
{n} | {job} | {co} | {ph}
{n}\\n{job}\\n{ph} (office)\\n{ph2} (cell)
-- \\n{n}\\n{em}\\n{url}
{n}\\n{adl}
Send checks to:\\n{n}\\n{adl}
«His|Her|Their» home address is {ad}.
Emergency contact: {n2}, {ph2}.
We're having the party at our place, {ad}, «at|around» {time}.
My «mother|father|wife|husband|brother|sister|boss|friend» {f} «lives at|has moved to» {ad}.
Is {em} still «good|your address|valid»? I tried {em2} and it bounced.
Has anyone heard from {n} «lately|since {dow}»?
{n2} said that {n} would «call|e-mail|visit» {co} about {topic}.
I don't think {n} «knows|has seen|understands» what {f2} did to {topic}.
{n} is the one who «wrote|broke|fixed|owns» it, talk to him.
Also, {f} and I are «going to|driving to|back from» {city} this weekend.
The kids, {f}, {f2} and {f3}, all have «the flu|soccer practice|school» on {dow}.
In {city}, {n} and the mayor, {n2}, opened «the new plant|a clinic|the bridge».
Can I get {f}'s number? I have {ph} but it's disconnected.
fax it to {ph} attn {n}
{n}'s assistant is {n2} ({ph}).
Please update your records: {n}, {ad}, {ph}.
He signed as {n}, but his «licence|driver's license» says {n2}.
Could you «activate|deactivate|create» an account for {n} ({em})?
I left a message with {f} about the «draft|invoice|roof|tickets».
{n} wants «the clause out|more time|a second quote|it in writing», and «frankly|honestly|» so do I.
Let's get {f} and {n2} on the phone {dow}.
Please run it by {f} before it goes to {n2}.
{f} dropped by this morning, looking for {f2}.
I'd rather you heard it from {f} than from {n2}.
Could somebody relieve {f} at the front desk around {time}?
Apologies to {f}, whose name I misspelled.
Nobody beats {f} at «chess|darts|spreadsheets», least of all {f2}.
{f}, {f2}: «see below|over to you|any thoughts?|please advise».
{l} and {l2} have «signed|declined|not replied».
The keys are with {n}; the alarm code is {pin}.
Who is covering for {n} while {f2} is away?
Give {f} my best, and {f2} too.
Drinks with {f}, {f2} and the people from {co} on {dow}?
{n} in {dept} has the originals; {n2} has copies.
Make the cheque out to {n}.
I copied {n} because {f2} asked me to.
With {n} retiring in {month}, {n2} takes over {dept}.
Sorry to hear about {f}'s «mother|knee|car|dog».
My manager, {n}, and her assistant, {f2}, will be there.
Tickets are under {l}, first name {f}.
If it rains, {f} drives and {f2} brings the tent.
Did {f} or {f2} pick up the parcel at {ad}?
{n} cannot make it; would {n2} do instead?
«Ms|Mr|Mrs|Dr|Miss» {l} rang twice about {topic}.
This is {n} from {co}, returning your call. My number is {ph}.
From: {n} <{em}>\\nSent: {date} {time}\\nTo: {n2}; {n3}\\nCc: {n4}\\nSubject: RE: {topic}
From: {em}\\nTo: {em2}, {em3}\\nDate: {date} {time}\\nSubject: {topic}
-----Original Message-----\\nFrom: {n}\\nSent: {date}\\nTo: {n2} (E-mail); {n3} (E-mail)\\nSubject: FW: {topic}
from: {n} [mailto:{em}]\\nto: {n2}; {n3}\\nre: {topic}
To: {em}\\nX-From: {n}\\nX-To: {n2} <{em2}>, {n3}\\nX-cc:\\n
{n}, {n2}, {n3} (cc: {n4})
""".splitlines()

CHAT: Final = """\
hey {f} «u there|you around|got a sec|quick q»?
lol {f} «said|told me» the same
@{usr} can you ping {f}?
ask {n}, she «knows|did it last time»
my email is {em}
its {em} «btw|thx|»
text me {ph}
call me {ph} after «5|6|lunch»
whats the pw? {pw}
try {pw}
password is {pw} «dont tell anyone|lol|caps matter»
login {usr} pw {pw}
here u go {key}
use my key {key} for now
export TOKEN={key}
db is {db} «go easy|read only pls|»
addr is {ad}
im at {ad}, come «over|by|whenever»
{f} is «ooo|afk|on pto» till {dow}
{f}: ok\\n{f2}: «thx|cool|on it»
[{time}] {f}: «can you send it again?|any news?|still waiting»
[{time}] {n}: «done|merged|looking»
{n} joined the channel
{f} has left
did {f} ever pay {f2} back lol
my card number is {card} exp {exp} cvv {cvv}
card: {card}
ssn {ssn}
my social is {ssn} dob {dob}
the case is {mat}
we have an {nda} with them so «careful|no screenshots|dm only»
is this under {nda}?
who is {n}? «never heard|new guy?|from {co}?»
{f} from {co} called, wants you to call back at {ph}
can someone add {em} to the «repo|group|invite»
wire it to {iban}
paypal me at {em}
its {n} with a {letter}
meet {f} at {time}?
happy bday {f}!!
thanks {f} «!|:)|<3|you rock»
{f} {f2} and i are «in|out|lost»
nah {f} did that
tell {f} i said hi
Agent: May I have your «full name|name», please?\\nCustomer: {n}
Agent: And the «phone number|number» on the account?\\nCustomer: {ph}
Agent: Can you «confirm|verify» your «mailing address|address»?\\nCustomer: sure, {ad}
Agent: What is your «date of birth|DOB»?\\nCustomer: {dob}
Agent: What are the last four?\\nCustomer: {cvv}
Customer: it's under {n}, order {ord}
Agent: Thank you, {f}. «Is there anything else?|One moment.|I can see it now.»
Agent: Hi, this is {f} from {co}, how can I help?
Customer: you can email me at {em}
Customer: my card is {card}, it was charged twice
Customer: the social is {ssn}
its {f} from «work|the gym|upstairs»
can u ask {f} if {f2} is coming
{f} said she wld, then {f2} said no
omg {f} «was so mad|got the job|passed»
tell {n} to check his dms
whos {f}? {f2}s «cousin|ex|roommate»
i think {n} has the keys
{n} can you make a «badge|ticket|desk» for {n2}? starts {dow}
brb {f} is at the door
{f} pls stop
Agent: Can I have your «account PIN|PIN|passcode», please?\\nCustomer: It's {pin}
Agent: And the full «social|number|SSN»?\\nCustomer: {ssn}
Agent {f}: Thanks for calling.\\nCaller: Hi {f}, this is {n2}.
Bot: please enter your password\\nUser: {pw}
""".splitlines()

REPORT: Final = """\
{n}, {age}, of {city}, was «charged with|sentenced for|cleared of» {topic} on {dow}.
{n}, who «founded|runs|left» {co} in {year}, «declined to comment|said he was surprised|denied it».
"«We did what we could|Nobody told us|It was a long day|That is not how it works»," said {n}, {job} at {co}.
According to {n2}, the {job}, «nothing had changed|it was too late|there was no plan».
{n} was born on {dob} in {city} and «studied|grew up|worked» in {city2}.
{l} «joined|left» {co} in {year} and was succeeded by {n2}.
The applicant, {n}, is a national who was born in {year} and lives in {city}.
The applicant was represented before the court by «Mr|Ms|Mrs» {n}, a lawyer practising in {city}.
On {date} the applicant «lodged an appeal|complained|was released» and «Judge|Mr Justice|Ms Justice» {l} «dismissed|allowed» it.
{n} v. {co}, No. {mat}
IN THE MATTER OF {n}, Case No. {mat}
The defendant, {n}, «resides|is domiciled» at {ad}.
Before {n} and {n2}, Circuit Judges.
Counsel for the plaintiff: {n}, {co}, {ad}.
Our reference: {mat}
File no. {mat} - {n}
«Patient|The patient», {n}, is a {age}-year-old «man|woman» «with|presenting with» {symptom}.
Patient {n} (MRN {mrn}, DOB {dob}) was seen by Dr. {l2} on {date}.
«Mr.|Mrs.|Ms.» {l} was «admitted to|discharged from» {city} General on {date}.
Dr. {n2} «recommends|prescribed|ordered» {drug} {num} mg daily.
NPI {npi}, «attending|referring» physician: {n2}, MD
Next of kin: {n2} ({ph2})
The patient lives with his «wife|daughter|son» {f2} at {ad}.
The «claimant|insured|employee|tenant|borrower», {n}, SSN {ssn}, «filed|submitted» «form|claim» {ord}.
Employee {n} ({em}) «earns|was paid|received» {amt} «per year|in {month}|as a bonus».
{n} has been «terminated|promoted|placed on leave» «effective|as of» {date}.
Driver {n}, licence {dl}, was «stopped|cited» on {date}.
The traveller, {n}, passport {pass}, «arrived in|departed from» {city} on {date}.
This «Agreement|Contract» is made on {date} between {co}, «a company at|having its office at|of» {ad}, and {n}, of {ad2}.
WHEREAS the parties have entered into «a|this» {nda} dated {date};
"{nda}" means any information disclosed by «either party|the Company» «in writing|orally or in writing».
The {nda} shall not «disclose|use|copy» any of it for «any purpose|five years».
This document is {nda}. «Do not distribute.|No part may be copied.|Return it on request.»
The obligations under this {nda} survive «termination|for {num} years».
IN WITNESS WHEREOF, {n} has signed on {date}.
Signed: {n}, {job}
By: ____________ Name: {n} Title: {job}
Witness: {n2}, {ad2}
Present: {n}, {n2}, {n3}. Apologies: {n4}.
Minutes taken by {n}.
Action: {f} to «write to|call|meet» {n2} by {date}.
{n} moved, {n2} seconded, to «approve|table|amend» {topic}.
{n} scored twice as {city} beat {city2} on {dow}.
{n}'s «novel|film|album|paper» «won|was nominated for|sold» «a prize|more than expected».
Survivors include «his wife|her husband», {n2}, and «two|three» children, {f3}, {f4} and {f}.
Payments «by|to» {n}: IBAN {iban}, reference {ord}.
The cardholder's number {card} was «declined|approved|stolen» on {date} at {time}.
Call «reception|the clinic|our office» on {ph}, «or write to|or mail» {em}.
For «press enquiries|more information|reservations», contact {n}, {ph}, {em}.
«Visit us at|The office is at|Deliver to|Mail to» {ad}.
Tax ID {nid}, «issued to|in the name of» {n}.
«Insurance|National insurance|Identity card|ID» number {nid}, {n}, born {dob}.
The suspect, identified as {n}, «fled|was arrested» near {city}.
President {n} and «Chancellor|Prime Minister|Senator» {n2} met in {city}.
«Professor|Prof.|Dr» {n} of the University of {city} «argues|found|reports» that {topic} matters.
{n} (born {date}) is «an American|a German|an Indian|a British» {job}.
The board «elected|re-elected|dismissed» {n} as its chair; {l} beat {n2} by «two votes|a wide margin».
{l} told reporters outside {city} Town Hall that {l2} would not «resign|run again|comment».
{l}, who «grew up|taught|lived» in {city}, «beat|lost to|met» {n2} in {year}.
Reporting by {n} in {city}; editing by {n2}.
By {n}\\n{city} - {co} said on {dow} that it would «close|buy|sue» {co2}.
Photo: {n}/{co}
Directed by {n}, with {n2}, {n3} and {n4} in the leading roles.
({l} & {l2}, {year}; {l3} et al., {year})
See {l} and {l2} ({year}) for a «proof|survey|discussion».
{l}, {letter}., {l2}, {letter}. ({year}). {phrase}. {co}.
{n} was «educated|ordained|buried» at {city} and married {n2} in {year}; their son {f3} «died young|became a {job}».
King {f} and Queen {f2} «visited|left» {city} in {year}.
Sen. {l}, Rep. {l2} and Gov. {n3} «spoke|voted against it|were absent».
The deposition of {n} was taken at {ad} before {n2}.
{n}, Plaintiff, v. {co}, Defendant. «Civil Action|Case|Index» No. {mat}
{l} alleges that «her supervisor|his landlord|the officer», {n2}, «altered the timesheets|refused|lied».
«Detective|Officer|Trooper|Agent» {l} «interviewed|arrested|followed» {n2} near {city}.
The case originated in an application (no. {mat}) lodged by «Mr|Mrs|Ms» {n} on {date}.
«HPI|Assessment|Plan»: «Mr|Ms|Mrs». {l} is a «pleasant|well-known» {age} year old «man|woman|patient» of Dr. {l2} with {symptom}.
{l} was «intubated|seen|transferred» by {n2}, RN; {l}'s «wife|son» {f3} was at the bedside.
Dictated by {n}, MD\\ncc: {n2}, MD
Attending: {l}, {f}\\nResident: {n2}
Inventors: {n}; {n2}; {n3}
Students: {f}, {f2}, {f3}, {n4}
Teams: {n} / {n2}, {n3} / {n4}
My name is {n} and I «am applying for|write about|saw» the {job} «role|position».
In this essay I, {n}, describe how {f2} and I «moved|studied|changed».
According to {f}, {f2}'s «brother|aunt|neighbour» {f3} still lives in {city}.
""".splitlines()

TICKET: Final = """\
Reporter: {n}
Assignee: {n2}
Customer {n} ({em}) reports that «login fails|the invoice is wrong|the app crashes».
Callback number: {ph}
Contact: {n}, {ph}, {em}
Account holder: {n}
Opened by {usr} on {date}
User {usr} cannot log in; I reset the password to {pw}.
Temporary password: {pw}
Steps: log in as {usr} with {pw} and «open|refresh» the page.
The customer gave card {card} «by mistake|in the chat|over the phone».
Customer confirmed SSN {ssn} and DOB {dob}.
Ship replacement to {ad}
Escalated to {n2} by {f}.
{f} called back, «no answer|left a message|resolved».
Serial {ord}, firmware {ver}, unit at {ad}.
The integration key is {key}
Found {key} in the «logs|bundle|public repo», please rotate it.
Connection string used: {db}
Related matter: {mat}
Covered by {nda} with {co}.
Comment by {n} - {date}
cc @{usr} @{usr2}
Order {ord} for {n}, refund {amt} to card {card}
""".splitlines()

FOREIGN: Final = """\
Sehr «geehrter Herr|geehrte Frau» {l},
Mit freundlichen Grüßen\\n{n}
Bitte senden Sie die Unterlagen an {n}, {ad}.
Sie erreichen mich unter {ph} oder {em}.
Meine IBAN lautet {iban}.
Das Passwort ist {pw}.
{n}, geboren am {dob}, wohnhaft in {ad}.
Herr {l} hat am {date} angerufen.
Cordialement,\\n{n}
Bonjour {f},
Veuillez contacter {n} au {ph} ou à {em}.
Mon adresse est {ad}.
Le mot de passe est {pw}.
Né le {dob}, {n} demeure à {ad}.
Numéro de sécurité sociale : {nid}
Merci de virer {amt} sur le compte {iban}.
Estimado «señor|Sr.» {l}:
Saludos,\\n{n}
Puede llamarme al {ph} o escribir a {em}.
Mi dirección es {ad}.
La contraseña es {pw}.
DNI: {nid}, {n}
Gentile «dott.|sig.» {l},
Cordiali saluti\\n{n}
Il mio numero è {ph}, la mia e-mail {em}.
Codice fiscale {nid}, {n}
La password è {pw}.
Met vriendelijke groet,\\n{n}
Mijn nummer is {ph}, e-mail {em}.
Het adres is {ad}.
BSN: {nid}
Olá {f}, meu telefone é {ph}.
Meu CPF é {nid}.
Atenciosamente,\\n{n}
A senha é {pw}
Med vänlig hälsning\\n{n}
Personnummer {nid}, {n}
Z poważaniem\\n{n}
PESEL {nid}, tel. {ph}
С уважением, {n}
Мой телефон {ph}, почта {em}
Saygılarımla, {n}
Hallo {f},\\nkannst du {f2} «anrufen|fragen|Bescheid sagen»? Seine Nummer ist {ph}.
{n} «arbeitet bei|kommt von|kündigt bei» {co} in {city}.
Laut {n} «liegt|fehlt|kostet» das «nichts|zu viel|noch».
Frau {l} und Herr {l2} «haben zugesagt|sind verreist|warten».
Überweisen Sie bitte {amt} auf {iban} ({n}).
Meine Adresse: {ad}
Mein Kennwort war {pw}, bitte ändern.
Steuer-ID: {nid}, Ausweis {pass}
Bezüglich Aktenzeichen {mat}: {n} «hat geklagt|legt Berufung ein».
Bonjour {n},\\nje vous transmets le dossier de «M.|Mme|Maître» {l2}.
{n} a «signé|refusé|demandé» le contrat avec {co}.
D'après {n}, {f2} «arrive|part|travaille» «demain|à {city}».
«M.|Mme» {l}, né le {dob}, habite {ad}.
Appelez {f} au {ph} «avant midi|ce soir|demain».
Votre code est {pin}, {f}.
Dossier n° {mat}, {n} c. {co}
Hola {f}, ¿puedes «llamar|avisar|escribir» a {n2}? Su móvil es {ph}.
{n} «trabaja en|vive en|viene de» {city}.
Según {n}, {f2} «no vino|ya pagó|está enfermo».
Don {n} y doña {n2} «firmaron|vendieron|compraron» la casa de {ad}.
El usuario es {usr} y la clave es {pw}.
La señora {l} tiene DNI {nid} y correo {em}.
Ciao {f}, «hai sentito|puoi chiamare|hai visto» {f2}?
{n} «lavora per|ha lasciato» {co} a {city}.
Secondo {n}, {f2} «non viene|arriva domani».
La signora {l} abita in {ad}.
Il codice fiscale di {n} è {nid}.
Beste {f},\\nkun je {f2} bellen op {ph}?
{n} «werkt bij|woont in|komt uit» {city}.
Volgens {n} is {f2} «ziek|op vakantie|te laat».
Mevrouw {l} woont op {ad}.
Het wachtwoord is {pw}.
Oi {f}, «você viu|pode ligar para|falou com» {f2}?
{n} «mora em|trabalha em|saiu de» {city}.
O senhor {l} e a senhora {l2} «assinaram|pagaram».
Minha chave pix é {em} e o CPF {nid}.
Hej {f}, kan du ringa {f2} på {ph}?
{n} bor på {ad}.
Cześć {f}, zadzwoń do {n2}: {ph}
Pan {l} i pani {l2} mieszkają w {city}.
""".splitlines()
