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
""".splitlines()
