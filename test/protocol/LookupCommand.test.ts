import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { encodeLookupCommand, LookupCommand, LookupCommandDecoder } from "../../src/protocol/LookupCommand.ts"
import { isComplete } from "../../src/protocol/LookupIdentity.ts"
import { ProtocolError } from "../../src/protocol/ProtocolError.ts"

/** Everything the decoder gives for these bytes, until it wants more; errors as texts. */
const decodeAll = (bytes: Uint8Array | string, { chunk = Infinity, ended = false, identified = true } = {}) => {
  const decoder = new LookupCommandDecoder()
  const out: Array<LookupCommand | string> = []
  const input = Buffer.from(bytes)
  const drain = () => {
    while (true) {
      const next = decoder.next(identified)
      if (next === undefined) return
      if (next instanceof ProtocolError) return void out.push(next.message)
      out.push(next)
    }
  }
  for (let at = 0; at < input.length; at += chunk) {
    decoder.feed(input.subarray(at, Math.min(input.length, at + chunk)))
    drain()
  }
  if (ended) {
    decoder.finish()
    drain()
  }
  return out
}

const identify = (body: string, size = Buffer.byteLength(body)): Buffer => {
  const prefix = Buffer.alloc(4)
  prefix.writeInt32BE(size)
  return Buffer.concat([Buffer.from("IDENTIFY\n"), prefix, Buffer.from(body)])
}

const Sendable = LookupCommand.pipe(
  Schema.check(
    Schema.makeFilter((command: LookupCommand) => command._tag !== "IDENTIFY" || isComplete(command.producer))
  )
)

describe("commands to nsqlookupd", () => {
  it.effect.prop(
    "are read as they were written, however their bytes are cut",
    { command: Sendable, chunk: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 9 }))) },
    ({ chunk, command }) =>
      Effect.sync(() => {
        const bytes = encodeLookupCommand(command)
        assert.deepStrictEqual(decodeAll(bytes, { chunk, identified: command._tag !== "IDENTIFY" }), [command])
      })
  )

  it("may end in CR LF and have an empty channel", () => {
    const topic = { _tag: "REGISTER", topic: "t", channel: undefined }
    assert.deepStrictEqual<unknown>(decodeAll(" PING \r\nREGISTER t\r\nREGISTER t  c\n"), [
      { _tag: "PING" },
      topic,
      topic
    ])
  })

  it("are refused before and after IDENTIFY as NSQ does it", () => {
    assert.deepStrictEqual(decodeAll("REGISTER a$\n", { identified: false }), ["E_INVALID client must IDENTIFY"])
    assert.deepStrictEqual(decodeAll("UNREGISTER\n", { identified: false }), ["E_INVALID client must IDENTIFY"])
    assert.deepStrictEqual(decodeAll("IDENTIFY\n"), ["E_INVALID cannot IDENTIFY again"])
  })

  it("with wrong names or parameters are quoted byte by byte", () => {
    const name = Buffer.from([0xff, 0x24])
    const line = Buffer.concat([Buffer.from("REGISTER "), name, Buffer.from("\n")])
    assert.deepStrictEqual(decodeAll(line), ["E_BAD_TOPIC REGISTER topic name '\u00ff$' is not valid"])
    assert.deepStrictEqual(decodeAll("UNREGISTER\n"), ["E_INVALID UNREGISTER insufficient number of params"])
    assert.deepStrictEqual(decodeAll("UNREGISTER t c$\n"), [
      "E_BAD_CHANNEL UNREGISTER channel name 'c$' is not valid"
    ])
    assert.deepStrictEqual(decodeAll("ping\n"), ["E_INVALID invalid command ping"])
    assert.deepStrictEqual(decodeAll("\n"), ["E_INVALID invalid command "])
  })

  it("without an end are refused before they fill memory", () => {
    assert.deepStrictEqual(decodeAll("x".repeat(2000)), ["E_INVALID command line too long"])
    assert.deepStrictEqual(decodeAll(`${"x".repeat(2000)}\n`), ["E_INVALID command line too long"])
  })

  it("with a body of a size that cannot be are refused before anything is allocated", () => {
    for (const size of [-1, 2 ** 31 - 1]) {
      assert.deepStrictEqual(decodeAll(identify("", size), { identified: false }), [
        `E_BAD_BODY IDENTIFY invalid body size ${size}`
      ])
    }
  })

  it("with a body that is cut off or makes no sense are refused in NSQ's words", () => {
    const outcome = (bytes: Buffer) => decodeAll(bytes, { identified: false, ended: true })
    assert.deepStrictEqual(outcome(Buffer.from("IDENTIFY\n\0\0")), ["E_BAD_BODY IDENTIFY failed to read body size"])
    assert.deepStrictEqual(outcome(identify("{", 5)), ["E_BAD_BODY IDENTIFY failed to read body"])
    assert.deepStrictEqual(outcome(identify("[]")), ["E_BAD_BODY IDENTIFY failed to decode JSON body"])
    assert.deepStrictEqual(outcome(identify(`{"tcp_port":1.5}`)), ["E_BAD_BODY IDENTIFY failed to decode JSON body"])
    assert.deepStrictEqual(outcome(identify("null")), ["E_BAD_BODY IDENTIFY missing fields"])
  })

  it("find the fields of IDENTIFY whatever their case", () => {
    const body = `{"Broadcast_Address":"a","TCP_PORT":1,"http_port":2,"version":"1","hostname":null,"more":[]}`
    assert.deepStrictEqual(decodeAll(identify(body), { identified: false }), [{
      _tag: "IDENTIFY",
      producer: {
        broadcast_address: "a",
        hostname: "",
        http_port: 2,
        tcp_port: 1,
        topology_region: "",
        topology_zone: "",
        version: "1"
      }
    }])
  })
})
