/** The messages of network errors, which clients, logs and FATAL lines contain. */
import { assert, describe, it } from "@effect/vitest"
import * as Net from "../../../src/services/net/NetError.ts"

describe("NetError", () => {
  it("the message of a listener, a connect or a datagram names the address", () => {
    const address = "10.0.0.1:4150"
    const cause = new Error("no route to host")
    assert.strictEqual(Net.listenFailure(address, cause).message, `listen (${address}) failed - no route to host`)
    assert.strictEqual(Net.connectFailure(address, cause.message).message, `dial ${address}: no route to host`)
    assert.strictEqual(Net.datagramFailure(address, cause).message, `udp ${address}: no route to host`)
  })

  it("the message of an error of a connection is its description", () => {
    for (const fail of [Net.connectionLoss, Net.handshakeFailure, Net.invalidTlsConfig]) {
      assert.strictEqual(fail("EOF").message, "EOF")
    }
  })

  it("an error keeps Node's error as its cause", () => {
    const cause = new Error("address already in use")
    assert.strictEqual(Net.listenFailure("127.0.0.1:1", cause).cause, cause)
  })
})
