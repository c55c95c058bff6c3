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
      assert.strictEqual(messageOf(ClientErrorReason[tag]({ address, description })), `${address}: ${description}`)
    }
  })

  it("the message of an error about a message begins with its topic", () => {
    const description = "no reply in time"
    for (const tag of ["MessageRefusal", "NoServer", "UnknownOutcome", "InvalidMessage"] as const) {
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
      const other = yield* Effect.flip(publish(ClientErrorReason.NoServer(outcome)))
      assert.strictEqual(other.reason._tag, "NoServer")
    }))
})
