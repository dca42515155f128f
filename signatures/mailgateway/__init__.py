"""The mail gateway: takes a message in by SMTP, puts each recipient's banner into it, hands it to the next hop.

`slot`, `bodies`, `charsets`, `mime`, `message`, `envelope` and `incoming` are pure: bytes in, bytes out. `relay`
speaks to the next hop, `server` to whoever hands mail in, `passing` stands between them, `budget` bounds what they
hold, `rows` asks the database, `run` ties them together.
"""
