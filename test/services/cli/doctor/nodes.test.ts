import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Nodes from "../../../../src/services/cli/doctor/nodes.ts"
import type { ObservedNsqd } from "../../../../src/services/cli/doctor/Observation.ts"

const registered = (remote: string, broadcast: string): ObservedNsqd => ({
  address: `${broadcast}:4151`,
  node: {
    remote_address: remote,
    hostname: "n",
    broadcast_address: broadcast,
    tcp_port: 4150,
    http_port: 4151,
    version: "1.3.0",
    topology_zone: "",
    topology_region: "",
    tombstones: [],
    topics: []
  },
  registeredAt: [],
  unresolved: undefined,
  info: Result.fail("not requested"),
  tcpFailure: undefined,
  stats: undefined,
  clock: undefined,
  options: new Map()
})

const found = (nsqd: ObservedNsqd) => Nodes.loopbackAddresses({ lookupds: [], nsqds: [nsqd] }).map(({ cause }) => cause)

describe("nsq doctor, of nodes", () => {
  it("an nsqd of another machine that announces a loopback address is found", () => {
    assert.deepStrictEqual(found(registered("10.0.0.7:50000", "127.0.0.1")), [
      "it registers from 10.0.0.7:50000 and announces 127.0.0.1"
    ])
    assert.deepStrictEqual(found(registered("127.0.0.1:50000", "127.0.0.1")), [])
    assert.deepStrictEqual(found(registered("10.0.0.7:50000", "10.0.0.7")), [])
  })
})
