import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as DaemonNetworks from "../../../src/services/net/DaemonNetworks.ts"
import * as DaemonPeerOptions from "../../../src/services/options/DaemonPeerOptions.ts"
import * as OptionTable from "../../../src/services/options/OptionTable.ts"

const { allowedDaemonNetworks, maxDaemonResponseSize } = DaemonPeerOptions

describe("DaemonPeerOptions", () => {
  it("no networks are set by default, and responses have at most 64 MiB", () => {
    assert.isTrue(Result.isSuccess(DaemonNetworks.parse(allowedDaemonNetworks.initial())))
    assert.deepStrictEqual([allowedDaemonNetworks.initial(), maxDaemonResponseSize.initial()], [[], 67_108_864])
  })

  it("several networks and another limit can be given", () => {
    const assigned = OptionTable.assign(DaemonPeerOptions, [
      { name: "allowed-daemon-networks", text: "10.0.0.0/8" },
      { name: "allowed-daemon-networks", text: "fd00::/8" },
      { name: "max-daemon-response-size", text: "0" }
    ])
    const { given } = Result.getOrThrow(assigned)
    assert.deepStrictEqual(given, { allowedDaemonNetworks: ["10.0.0.0/8", "fd00::/8"], maxDaemonResponseSize: 0 })
    assert.isTrue(Result.isSuccess(DaemonNetworks.parse(given.allowedDaemonNetworks ?? [])))
  })
})
