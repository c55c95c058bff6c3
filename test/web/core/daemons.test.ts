import { assert, describe, it } from "@effect/vitest"
import type { DaemonState } from "../../../src/protocol/http/admin/AdminLive.ts"
import * as Daemons from "../../../src/web/core/daemons.ts"

const since = new Date(2026, 10, 30, 14, 47).getTime()

const daemon = (more: Partial<DaemonState>): DaemonState => ({
  kind: "nsqd",
  address: "10.0.0.1:4151",
  hostname: "broker-1",
  version: "1.3.0",
  reachable: false,
  error: "connection refused",
  has_replied: true,
  since,
  ...more
})

describe("the words for unreachable daemons", () => {
  it("a daemon that has replied has the time of its last reply", () => {
    const now = since + 200_000
    assert.strictEqual(
      Daemons.sentence(daemon({}), now),
      "nsqd broker-1 (10.0.0.1:4151) is unreachable: last reply 14:47, 3 m 20 s ago."
    )
    assert.strictEqual(Daemons.shortSilence(daemon({}), now), "last reply 3 m 20 s ago")
    assert.strictEqual(Daemons.silence(daemon({}), since + 86_400_000), "last reply 30 Nov, 14:47, 1 d ago")
  })

  it("a daemon that has never replied has the time of the first request", () => {
    const never = daemon({ kind: "nsqlookupd", hostname: "", has_replied: false })
    assert.strictEqual(
      Daemons.sentence(never, since + 10_000),
      "nsqlookupd 10.0.0.1:4151 is unreachable: no reply yet, first request 14:47, 10 s ago."
    )
    assert.strictEqual(Daemons.shortSilence(never, since + 10_000), "no reply in 10 s")
  })
})
