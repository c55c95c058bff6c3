import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { ClientError, ClientErrorReason } from "../../../src/services/client/ClientError.ts"
import { Decision } from "../../../src/services/client/Decision.ts"
import * as Conversions from "../../../src/services/promise/Conversions.ts"
import { NsqError } from "../../../src/services/promise/index.ts"

const address = "10.0.0.1:4150"
const lost = new ClientError({ reason: ClientErrorReason.ConnectionLoss({ address, description: "closed" }) })

describe("plain values of the client library", () => {
  it("an error keeps its message, server, NSQ's code and what a program has to know to go on", () => {
    const description = "E_AUTH_FAILED wrong secret"
    const refused = Conversions.errorOf(
      new ClientError({ reason: ClientErrorReason.HandshakeFailure({ address, description, isPermanent: true }) })
    )
    assert.instanceOf(refused, Error)
    assert.strictEqual(refused.message, `${address}: ${description}`)
    assert.deepInclude({ ...refused }, {
      name: "NsqError",
      code: "ERR_NSQ_HANDSHAKE_FAILED",
      nsqCode: "E_AUTH_FAILED",
      address,
      topic: undefined,
      isPermanent: true,
      mayBeDelivered: false
    })
    const unknown = Conversions.errorOf(
      new ClientError({ reason: ClientErrorReason.UnknownOutcome({ topic: "orders", description: "lost" }) })
    )
    assert.deepInclude({ ...unknown }, { topic: "orders", isRetryable: true, mayBeDelivered: true })
  })

  it("the error of a publish without a server has the error of each server, as plain errors", () => {
    const reason = ClientErrorReason.NoServer({
      topic: "orders",
      servers: [{ address, error: lost }],
      description: "no nsqd is connected"
    })
    const [server] = Conversions.errorOf(new ClientError({ reason })).servers
    assert.strictEqual(server?.error.code, "ERR_NSQ_CONNECTION_LOST")
    assert.notInstanceOf(server?.error, ClientError)
  })

  it("a program receives what its own function threw, an NsqError for the library's failure, and defects unchanged", () => {
    const own = { any: "value" }
    assert.strictEqual(Conversions.thrownBy(Cause.fail(new Conversions.ProgramError({ cause: own }))), own)
    assert.instanceOf(Conversions.thrownBy(Cause.fail(lost)), NsqError)
    const defect = new TypeError("bug")
    assert.strictEqual(Conversions.thrownBy(Cause.die(defect)), defect)
    const interrupted = Conversions.thrownBy(Cause.interrupt())
    assert.strictEqual(interrupted instanceof NsqError && interrupted.code, "ERR_NSQ_CLOSED")
  })

  it("decisions keep their delay and whether the consumer backs off", () => {
    assert.deepStrictEqual(Conversions.decisionOf({ action: "finish" }), Decision.Finish())
    assert.deepStrictEqual(Conversions.decisionOf({ action: "giveUp" }), Decision.GiveUp())
    assert.deepStrictEqual(Conversions.decisionOf({ action: "reject" }), Decision.Reject({}))
    assert.deepStrictEqual(
      Conversions.decisionOf({ action: "reject", reason: "bad" }),
      Decision.Reject({ reason: "bad" })
    )
    assert.deepStrictEqual(
      Conversions.decisionOf({ action: "requeue", delay: 5, backoff: false }),
      Decision.Requeue({ delay: 5, backoff: false })
    )
  })

  it("numbers of options that are negative or not a number are refused with their place", () => {
    Conversions.checkNumbers({
      maxInFlight: 0,
      connection: { tls: { ca: Buffer.from("x") }, dialTimeout: 1 },
      f: () => {}
    })
    assert.throws(() => Conversions.checkNumbers({ retry: { times: -1 } }), RangeError, "retry.times must be a number")
    assert.throws(() => Conversions.checkNumbers({ retry: [1000, -1] }), RangeError, "retry.1 must be a number")
    assert.throws(() => Conversions.checkNumbers({ window: Number.NaN }), RangeError, "window must be a number")
  })
})
