import type { ProducerIdentity } from "../../../src/protocol/lookup/LookupIdentity.ts"

/** The identity of an nsqd of this name. */
export const identity = (name: string): ProducerIdentity => ({
  broadcast_address: name,
  hostname: name,
  http_port: 4151,
  tcp_port: 4150,
  topology_region: "",
  topology_zone: "",
  version: "1.3.0"
})
