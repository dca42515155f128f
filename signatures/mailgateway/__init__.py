"""Mail gateway: takes mail by SMTP, puts each recipient's banner into it, passes it to the next hop.

`slot`, `bodies`, `charsets`, `mime`, `message`, `envelope` and `incoming` are pure: bytes in, bytes out. `server` has
the client's connection, `transaction` its mail; `relay` hands that over by `next_hop` and `smtp_connection`.
`gateway` makes the copies, by what `planner` decides and `receipts` record. `memory_budget` and `memory_blocks` limit
the memory, `portal` asks the database, `service` starts and stops the gateway.
"""
