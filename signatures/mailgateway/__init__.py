"""Mail gateway: takes mail by SMTP, puts each recipient's banner into it, passes it to the next hop.

`slot`, `bodies`, `charsets`, `mime`, `message`, `envelope` and `incoming` are pure: bytes in, bytes out. `server`
takes mail in and `next_hop` hands it on; `gateway` connects the two, by what `planner` decides and `receipts` record.
`memory_budget` and `memory_blocks` bound what they hold, `portal` asks the database, `service` starts and stops them.
"""
