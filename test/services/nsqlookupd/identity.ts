import type { ProducerIdentity } from "../../../src/protocol/lookup/LookupIdentity.ts"

/** What an nsqd of this name says of itself. */
export const identity = (name: string): ProducerIdentity => ({
  broadcast_address: name,
  hostname: name,
  http_port: 4151,
  tcp_port: 4150,
  topology_region: "",
  topology_zone: "",
  version: "1.3.0"
})
