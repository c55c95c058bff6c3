import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ProtocolError } from "../../../src/protocol/client/ProtocolError.ts"
import { encodeLookupCommand, LookupCommand, LookupCommandDecoder } from "../../../src/protocol/lookup/LookupCommand.ts"
import { type ProducerIdentity, refusalOf } from "../../../src/protocol/lookup/LookupIdentity.ts"

/** Returns all results of the decoder for these bytes, with errors as strings. */
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

/** Makes an identity valid for nsqlookupd: with a host, a version and ports. */
const acceptable = (producer: ProducerIdentity): ProducerIdentity => ({
  ...producer,
  broadcast_address: "nsqd-1.example",
  http_port: 1 + Math.abs(producer.http_port % 65_535),
  tcp_port: 1 + Math.abs(producer.tcp_port % 65_535),
  version: `1${producer.version}`
})

const sendable = (command: LookupCommand): LookupCommand =>
  command._tag === "IDENTIFY" ? { ...command, producer: acceptable(command.producer) } : command

describe("commands to nsqlookupd", () => {
  it.effect.prop(
    "commands to nsqlookupd are decoded as they were encoded, in pieces of any size",
    { command: LookupCommand, chunk: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 9 }))) },
    ({ chunk, command: any }) =>
      Effect.sync(() => {
        const command = sendable(any)
        const bytes = encodeLookupCommand(command)
        assert.deepStrictEqual(decodeAll(bytes, { chunk, identified: command._tag !== "IDENTIFY" }), [command])
      })
  )

  it("a command to nsqlookupd may end in CR LF and have an empty channel", () => {
    const topic = { _tag: "REGISTER", topic: "t", channel: undefined }
    assert.deepStrictEqual<unknown>(decodeAll(" PING \r\nREGISTER t\r\nREGISTER t  c\n"), [
      { _tag: "PING" },
      topic,
      topic
    ])
  })

  it("commands to nsqlookupd are refused before and after IDENTIFY as in NSQ", () => {
    assert.deepStrictEqual(decodeAll("REGISTER a$\n", { identified: false }), ["E_INVALID client must IDENTIFY"])
    assert.deepStrictEqual(decodeAll("UNREGISTER\n", { identified: false }), ["E_INVALID client must IDENTIFY"])
    assert.deepStrictEqual(decodeAll("IDENTIFY\n"), ["E_INVALID cannot IDENTIFY again"])
  })

  it("errors quote invalid names and parameters byte by byte", () => {
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

  it("a line without an end is refused at the limit", () => {
    assert.deepStrictEqual(decodeAll("x".repeat(2000)), ["E_INVALID command line too long"])
    assert.deepStrictEqual(decodeAll(`${"x".repeat(2000)}\n`), ["E_INVALID command line too long"])
  })

  it("a body with an invalid size is refused before memory is allocated", () => {
    for (const size of [-1, 2 ** 31 - 1]) {
      assert.deepStrictEqual(decodeAll(identify("", size), { identified: false }), [
        `E_BAD_BODY IDENTIFY invalid body size ${size}`
      ])
    }
  })

  it("a truncated or invalid body is refused with NSQ's text", () => {
    const outcome = (bytes: Buffer) => decodeAll(bytes, { identified: false, ended: true })
    assert.deepStrictEqual(outcome(Buffer.from("IDENTIFY\n\0\0")), ["E_BAD_BODY IDENTIFY failed to read body size"])
    assert.deepStrictEqual(outcome(identify("{", 5)), ["E_BAD_BODY IDENTIFY failed to read body"])
    assert.deepStrictEqual(outcome(identify("[]")), ["E_BAD_BODY IDENTIFY failed to decode JSON body"])
    assert.deepStrictEqual(outcome(identify(`{"tcp_port":1.5}`)), ["E_BAD_BODY IDENTIFY failed to decode JSON body"])
    assert.deepStrictEqual(outcome(identify("null")), ["E_BAD_BODY IDENTIFY missing fields"])
  })

  it("the fields of IDENTIFY match in any case", () => {
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

  it("an identity with invalid or too long values is refused with the name of the field", () => {
    const well: ProducerIdentity = {
      broadcast_address: "nsqd",
      hostname: "h",
      http_port: 4151,
      tcp_port: 4150,
      topology_region: "",
      topology_zone: "",
      version: "1.3.0"
    }
    const refused = (change: Partial<ProducerIdentity>) => refusalOf({ ...well, ...change })
    for (
      const host of ["nsqd", "a_b.example.com", "10.0.0.1", "::1", "fe80::1", "NSQD-0.nsqd.default.svc.cluster.local."]
    ) {
      assert.isUndefined(refused({ broadcast_address: host }), host)
    }
    const notHost = "broadcast_address is not a host name or an IP address"
    for (const host of ["a/b", "a:1", "user@a", "a b", "[::1]", "a?x=", "a..b", "-a", "\u0000", "é"]) {
      assert.strictEqual(refused({ broadcast_address: host }), notHost, host)
    }
    for (const field of ["version", "hostname", "topology_zone", "topology_region", "broadcast_address"] as const) {
      assert.strictEqual(refused({ [field]: "é".repeat(129) }), `${field} is longer than 256 bytes`)
    }
    for (const port of [-1, 65_536, 2 ** 31]) {
      assert.strictEqual(refused({ tcp_port: port }), "tcp_port is not between 1 and 65535")
      assert.strictEqual(refused({ http_port: port }), "http_port is not between 1 and 65535")
    }
    assert.strictEqual(refused({ tcp_port: 0 }), "missing fields")
    const body = JSON.stringify({ ...well, version: "x".repeat(60_000) })
    assert.deepStrictEqual(decodeAll(identify(body), { identified: false }), [
      "E_BAD_BODY IDENTIFY version is longer than 256 bytes"
    ])
  })
})
