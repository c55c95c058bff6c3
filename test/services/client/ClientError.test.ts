/** The messages of the client's errors, and the handling of one reason. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ClientError, ClientErrorReason } from "../../../src/services/client/ClientError.ts"

const address = "10.0.0.1:4150"
const messageOf = (reason: ClientErrorReason): string => new ClientError({ reason }).message

describe("ClientError", () => {
  it("the message of an error about a server begins with its address", () => {
    const description = "connection refused"
    for (const tag of ["ConnectFailure", "HandshakeFailure", "ConnectionLoss", "ServerRefusal"] as const) {
      const reason = ClientErrorReason[tag]({ address, description, isPermanent: false })
      assert.strictEqual(messageOf(reason), `${address}: ${description}`)
    }
  })

  it("the message of an error about a message begins with its topic", () => {
    const description = "no reply in time"
    for (const tag of ["UnknownOutcome", "InvalidMessage"] as const) {
      assert.strictEqual(messageOf(ClientErrorReason[tag]({ topic: "orders", description })), `orders: ${description}`)
    }
  })

  it("the message of a failed lookup hides the password of the address", () => {
    assert.strictEqual(
      messageOf(
        ClientErrorReason.LookupFailure({ address: "http://me:secret@lookup:4161", description: "got response 500" })
      ),
      "error querying nsqlookupd (http://me:***@lookup:4161) - got response 500"
    )
  })

  it.effect("a program can handle one reason and keep the others", () =>
    Effect.gen(function*() {
      const publish = (reason: ClientErrorReason) =>
        Effect.fail(new ClientError({ reason })).pipe(
          Effect.catchReason("ClientError", "UnknownOutcome", ({ topic }) => Effect.succeed(topic))
        )
      const outcome = { topic: "orders", description: "no reply in time" }
      assert.strictEqual(yield* publish(ClientErrorReason.UnknownOutcome(outcome)), "orders")
      const other = yield* Effect.flip(publish(ClientErrorReason.NoServer({ ...outcome, servers: [] })))
      assert.strictEqual(other.reason._tag, "NoServer")
    }))

  it("an error is permanent if another connection with the same options has the same result", () => {
    const isPermanent = (reason: ClientErrorReason): boolean => new ClientError({ reason }).isPermanent
    const refusal = (description: string) => ClientErrorReason.ServerRefusal({ address, description })
    assert.isTrue(isPermanent(refusal("E_UNAUTHORIZED AUTH failed for SUB on \"t\" \"c\"")))
    assert.isTrue(isPermanent(ClientErrorReason.HandshakeFailure({ address, description: "", isPermanent: true })))
    assert.isFalse(isPermanent(ClientErrorReason.HandshakeFailure({ address, description: "", isPermanent: false })))
    assert.isFalse(isPermanent(refusal("E_SUB_FAILED SUB failed")))
    assert.isFalse(isPermanent(ClientErrorReason.ConnectFailure({ address, description: "connection refused" })))
  })

  it("publishing again can help unless the message was refused, and may duplicate what was sent", () => {
    const topic = "orders"
    const description = ""
    const flagsOf = (reason: ClientErrorReason) => {
      const { isRetryable, mayBeDelivered } = new ClientError({ reason })
      return [isRetryable, mayBeDelivered]
    }
    const refused = (code: "E_BAD_MESSAGE" | "E_PUB_FAILED") =>
      ClientErrorReason.PublishRefused({ topic, address, code, description })
    assert.deepStrictEqual(flagsOf(ClientErrorReason.NoServer({ topic, servers: [], description })), [true, false])
    assert.deepStrictEqual(flagsOf(ClientErrorReason.UnknownOutcome({ topic, description })), [true, true])
    assert.deepStrictEqual(flagsOf(ClientErrorReason.PublishTimedOut({ topic, sent: true, description })), [true, true])
    assert.deepStrictEqual(flagsOf(ClientErrorReason.PublishTimedOut({ topic, sent: false, description })), [
      true,
      false
    ])
    assert.deepStrictEqual(flagsOf(refused("E_PUB_FAILED")), [true, false])
    assert.deepStrictEqual(flagsOf(refused("E_BAD_MESSAGE")), [false, false])
    assert.deepStrictEqual(flagsOf(ClientErrorReason.InvalidMessage({ topic, description })), [false, false])
    assert.deepStrictEqual(flagsOf(ClientErrorReason.Closed({ description })), [false, false])
  })
})
