import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as DaemonNetworks from "../../../src/services/net/DaemonNetworks.ts"
import * as CommandLine from "../../../src/services/options/CommandLine.ts"
import * as DaemonPeerOptions from "../../../src/services/options/DaemonPeerOptions.ts"

const { allowedDaemonNetworks, maxDaemonResponseSize } = DaemonPeerOptions

describe("DaemonPeerOptions", () => {
  it("no networks are set by default, and responses have at most 64 MiB", () => {
    assert.isTrue(Result.isSuccess(DaemonNetworks.parse(allowedDaemonNetworks.initial())))
    assert.deepStrictEqual([allowedDaemonNetworks.initial(), maxDaemonResponseSize.initial()], [[], 67_108_864])
  })

  it("several networks and another limit can be given", () => {
    const args = ["10.0.0.0/8", "fd00::/8"].map((network) => `--allowed-daemon-networks=${network}`)
    const table = { allowedDaemonNetworks, maxDaemonResponseSize }
    const { given } = Result.getOrThrow(CommandLine.parse({ table }, [...args, "--max-daemon-response-size=0"]))
    assert.deepStrictEqual(given, { allowedDaemonNetworks: ["10.0.0.0/8", "fd00::/8"], maxDaemonResponseSize: 0 })
    assert.isTrue(Result.isSuccess(DaemonNetworks.parse(given.allowedDaemonNetworks ?? [])))
  })
})
