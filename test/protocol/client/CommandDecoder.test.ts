import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Command, commandNames } from "../../../src/protocol/client/Command.ts"
import { maxLineLength } from "../../../src/protocol/client/CommandDecoder.ts"
import { protocolError } from "../../../src/protocol/client/ProtocolError.ts"
import { Commands, cut, CutLengths, decodeAll, decoder, encodeAll, int32, open } from "./commands.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** Returns the expected result of the decoder for a command of the Schema, which `encodeCommand` encodes. */
const expected = (command: Command): unknown => {
  switch (command._tag) {
    case "IDENTIFY":
      return ["IDENTIFY", hex(command.body)]
    case "AUTH":
      return ["AUTH", hex(command.secret)]
    case "SUB":
      return ["SUB", command.topic, command.channel]
    case "PUB":
      return ["PUB", command.topic, hex(command.body)]
    case "MPUB":
      return ["MPUB", command.topic, 0, ...command.bodies.map(hex)]
    case "DPUB":
      return ["DPUB", command.topic, command.deferMillis, hex(command.body)]
    case "HPUB": {
      const headers = Object.entries(command.headers).map(([name, value]) => `${name}:${value}\n`).join("")
      return ["HPUB", command.topic, command.deferMillis, headers, hex(command.body)]
    }
    case "RDY":
      return ["RDY", command.count]
    case "REQ":
      return ["REQ", command.id, command.delayMillis]
    case "FIN":
    case "TOUCH":
      return [command._tag, command.id]
    case "CLS":
    case "NOP":
      return [command._tag]
  }
}

const withinLimits = (command: Command): boolean =>
  (command._tag !== "RDY" || command.count <= 2500) &&
  ((command._tag !== "DPUB" && command._tag !== "HPUB") || command.deferMillis <= 3_600_000)

const sized = (body: string): Buffer => Buffer.concat([int32(body.length), Buffer.from(body)])
const text = (line: string, ...rest: ReadonlyArray<Buffer>): Buffer => Buffer.concat([Buffer.from(line), ...rest])

describe("CommandDecoder", () => {
  it.prop("every encoded command is decoded", [Commands], ([commands]) => {
    const sent = commands.filter(withinLimits)
    assert.deepStrictEqual(decodeAll([encodeAll(sent)]), sent.map(expected))
  })

  it.prop(
    "decoded commands are the same in pieces of any size",
    [Commands, CutLengths],
    ([commands, lengths]) => {
      const bytes = encodeAll(commands)
      const whole = decodeAll([bytes])
      assert.deepStrictEqual(decodeAll(cut(bytes, lengths)), whole)
      assert.deepStrictEqual(decodeAll(cut(bytes, [1])), whole)
    }
  )

  it.prop(
    "damaged input gives the same commands or protocol errors in pieces of any size, and never throws",
    [Commands, CutLengths, Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))],
    ([commands, lengths, changes]) => {
      const bytes = encodeAll(commands)
      for (const [at, value] of changes) {
        if (bytes.length > 0) bytes[Math.abs(at) % bytes.length] = value & 0xff
      }
      assert.deepStrictEqual(decodeAll(cut(bytes, lengths)), decodeAll([bytes]))
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "any input gives the same commands or protocol errors in pieces of any size",
    [Schema.Uint8Array, CutLengths],
    ([bytes, lengths]) => {
      assert.deepStrictEqual(decodeAll(cut(Buffer.from(bytes), lengths)), decodeAll([Buffer.from(bytes)]))
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "the same command is refused at the same position in pieces of any size",
    [Commands, CutLengths, Schema.Literals(commandNames)],
    ([commands, lengths, refused]) => {
      const gate = {
        refuse: (name: string) =>
          name === refused ? protocolError("E_INVALID", `cannot ${name} in current state`) : undefined
      }
      const sent = commands.filter(withinLimits)
      const at = sent.findIndex((command) => command._tag === refused)
      const read = sent.slice(0, at < 0 ? sent.length : at).map(expected)
      const end = at < 0 ? [] : [["Malformed", refused, `E_INVALID cannot ${refused} in current state`, ""]]
      for (const pieces of [cut(encodeAll(sent), lengths), cut(encodeAll(sent), [1])]) {
        assert.deepStrictEqual(decodeAll(pieces, {}, gate), [...read, ...end])
      }
    }
  )

  it("pipelined PUBs of one topic are decoded as one command", () => {
    const reader = decoder()
    reader.feed(Buffer.concat(Array.from({ length: 10 }, (_, i) => text("PUB t\n", sized(`body ${i}`)))))
    const command = reader.next(open)
    assert.strictEqual(command?._tag === "PUB" ? command.bodies.count : 0, 10)
    assert.isUndefined(reader.next(open))
  })

  it("the gate is called as soon as the line is complete, before the body arrives", () => {
    const refusal = protocolError("E_INVALID", "cannot IDENTIFY in current state")
    const gate = { refuse: (name: string) => name === "IDENTIFY" ? refusal : undefined }
    assert.deepStrictEqual(decodeAll([Buffer.from("IDENTIFY\n")], {}, gate), [
      ["Malformed", "IDENTIFY", refusal.message, ""]
    ])
  })

  it("command lines may end in CR LF", () => {
    assert.deepStrictEqual(decodeAll([Buffer.from("SUB t c\r\nRDY 1\r\n")]), [["SUB", "t", "c"], ["RDY", 1]])
  })

  it("a line without an end is refused at the limit", () => {
    assert.deepStrictEqual(decodeAll([Buffer.alloc(maxLineLength, 65)]), [["Overlong"]])
    assert.deepStrictEqual(decodeAll([Buffer.alloc(maxLineLength - 1, 65)]), [])
  })

  it("the decoder keeps no more memory than has arrived, regardless of announced sizes", () => {
    for (const announced of [1, 1000, 1024 * 1024]) {
      const reader = decoder()
      reader.feed(text("PUB t\n", int32(announced), Buffer.from("x")))
      if (announced > 1) {
        assert.isUndefined(reader.next(open))
        assert.strictEqual(reader.buffered, 11)
      }
    }
  })

  const fails: ReadonlyArray<readonly [bytes: Buffer, error: string]> = [
    [text("FOO\n"), "E_INVALID invalid command FOO"],
    [text("\n"), "E_INVALID invalid command "],
    [text("pub t\n"), "E_INVALID invalid command pub"],
    [text("IDENTIFY\n", int32(0)), "E_BAD_BODY IDENTIFY invalid body size 0"],
    [text("IDENTIFY\n", int32(-1)), "E_BAD_BODY IDENTIFY invalid body size -1"],
    [text("IDENTIFY\n", int32(0x7fffffff)), "E_BAD_BODY IDENTIFY body too big 2147483647 > 5242880"],
    [text("IDENTIFY\n", Buffer.from("ab")), "E_BAD_BODY IDENTIFY failed to read body size"],
    [text("IDENTIFY\n", int32(5), Buffer.from("{}")), "E_BAD_BODY IDENTIFY failed to read body"],
    [text("AUTH x\n"), "E_INVALID AUTH invalid number of parameters"],
    [text("AUTH\n", int32(0)), "E_BAD_BODY AUTH invalid body size 0"],
    [text("AUTH\n", int32(0x7fffffff)), "E_BAD_BODY AUTH body too big 2147483647 > 5242880"],
    [text("AUTH\n", Buffer.from("abc")), "E_BAD_BODY AUTH failed to read body size"],
    [text("AUTH\n", int32(2), Buffer.from("a")), "E_BAD_BODY AUTH failed to read body"],
    [text("AUTH\n", int32(-2)), "E_BAD_BODY AUTH invalid body size -2"],
    [text("AUTH\n", int32(6_000_000)), "E_BAD_BODY AUTH body too big 6000000 > 5242880"],
    [text("SUB t\n"), "E_INVALID SUB insufficient number of parameters"],
    [text("SUB\n"), "E_INVALID SUB insufficient number of parameters"],
    [text("SUB  b\n"), "E_BAD_TOPIC SUB topic name \"\" is not valid"],
    [text("SUB t \n"), "E_BAD_CHANNEL SUB channel name \"\" is not valid"],
    [text(" NOP\n"), "E_INVALID invalid command "],
    [text("SUB t$ c\n"), "E_BAD_TOPIC SUB topic name \"t$\" is not valid"],
    [text("SUB t c\x01\n"), "E_BAD_CHANNEL SUB channel name \"c\\x01\" is not valid"],
    [text("PUB\n"), "E_INVALID PUB insufficient number of parameters"],
    [text("PUB t$\n"), "E_BAD_TOPIC PUB topic name \"t$\" is not valid"],
    [text("PUB t\n", int32(0)), "E_BAD_MESSAGE PUB invalid message body size 0"],
    [text("PUB t\n", int32(-1)), "E_BAD_MESSAGE PUB invalid message body size -1"],
    [text("PUB t\n", int32(1_048_577)), "E_BAD_MESSAGE PUB message too big 1048577 > 1048576"],
    [text("PUB t\n", Buffer.from("ab")), "E_BAD_MESSAGE PUB failed to read message body size"],
    [text("PUB t\n", int32(3), Buffer.from("ab")), "E_BAD_MESSAGE PUB failed to read message body"],
    [text("DPUB t\n"), "E_INVALID DPUB insufficient number of parameters"],
    [text("DPUB t$ 1\n"), "E_BAD_TOPIC DPUB topic name \"t$\" is not valid"],
    [text("DPUB t 1\n", int32(0)), "E_BAD_MESSAGE DPUB invalid message body size 0"],
    [text("DPUB t 1\n", int32(-0x80000000)), "E_BAD_MESSAGE DPUB invalid message body size -2147483648"],
    [text("DPUB t 1\n", int32(0x7fffffff)), "E_BAD_MESSAGE DPUB message too big 2147483647 > 1048576"],
    [text("DPUB t 1\n", Buffer.from("abc")), "E_BAD_MESSAGE DPUB failed to read message body size"],
    [text("DPUB t 1\n", int32(3), Buffer.from("ab")), "E_BAD_MESSAGE DPUB failed to read message body"],
    [text("DPUB t x\n"), "E_INVALID DPUB could not parse timeout x"],
    [text("DPUB t 3600001\n"), "E_INVALID DPUB timeout 3600001 out of range 0-3600000"],
    [text("DPUB t -1\n"), "E_INVALID DPUB could not parse timeout -1"],
    [text("MPUB\n"), "E_INVALID MPUB insufficient number of parameters"],
    [text("MPUB t$\n"), "E_BAD_TOPIC E_BAD_TOPIC MPUB topic name \"t$\" is not valid"],
    [text("MPUB t\n", int32(0)), "E_BAD_BODY MPUB invalid body size 0"],
    [text("MPUB t\n", int32(-1)), "E_BAD_BODY MPUB invalid body size -1"],
    [text("MPUB t\n", Buffer.from("abc")), "E_BAD_BODY MPUB failed to read body size"],
    [text("MPUB t\n", int32(9), Buffer.from("abc")), "E_BAD_BODY MPUB failed to read message count"],
    [text("MPUB t\n", int32(0x7fffffff)), "E_BAD_BODY MPUB body too big 2147483647 > 5242880"],
    [text("MPUB t\n", int32(9, 0x7fffffff)), "E_BAD_BODY MPUB invalid message count 2147483647"],
    [text("MPUB t\n", int32(9, 1, -1)), "E_BAD_MESSAGE MPUB invalid message(0) body size -1"],
    [text("MPUB t\n", int32(9, 1, 0x7fffffff)), "E_BAD_MESSAGE MPUB message too big 2147483647 > 1048576"],
    [text("MPUB t\n", int32(9, 1)), "E_BAD_MESSAGE MPUB failed to read message(0) body size"],
    [text("MPUB t\n", int32(5_242_881)), "E_BAD_BODY MPUB body too big 5242881 > 5242880"],
    [text("MPUB t\n", int32(9, 0)), "E_BAD_BODY MPUB invalid message count 0"],
    [text("MPUB t\n", int32(9, -1)), "E_BAD_BODY MPUB invalid message count -1"],
    [text("MPUB t\n", int32(9, 1_048_576)), "E_BAD_BODY MPUB invalid message count 1048576"],
    [text("MPUB t\n", int32(9, 1, 0)), "E_BAD_MESSAGE MPUB invalid message(0) body size 0"],
    [text("MPUB t\n", int32(9, 1, 1_048_577)), "E_BAD_MESSAGE MPUB message too big 1048577 > 1048576"],
    [text("MPUB t\n", int32(9, 2, 1), Buffer.from("x")), "E_BAD_MESSAGE MPUB failed to read message(1) body size"],
    [text("MPUB t\n", int32(9, 1, 5), Buffer.from("x")), "E_BAD_MESSAGE MPUB failed to read message body"],
    [text("RDY x\n"), "E_INVALID RDY could not parse count x"],
    [text("RDY 2501\n"), "E_INVALID RDY count 2501 out of range 0-2500"],
    [text("RDY -1\n"), "E_INVALID RDY could not parse count -1"],
    [text("FIN\n"), "E_INVALID FIN insufficient number of params"],
    [text("TOUCH\n"), "E_INVALID TOUCH insufficient number of params"],
    [text("REQ\n"), "E_INVALID REQ insufficient number of params"],
    [text("REQ abc 0\n"), "E_INVALID invalid message ID"],
    [text("FIN 0123456789abcde\r\n"), "E_INVALID invalid message ID"],
    [text("FIN abc\n"), "E_INVALID invalid message ID"],
    [text("TOUCH 0123456789abcdef0\n"), "E_INVALID invalid message ID"],
    [text("REQ 0123456789abcdef\n"), "E_INVALID REQ insufficient number of params"],
    [text("REQ 0123456789abcdef x\n"), "E_INVALID REQ could not parse timeout x"]
  ]
  for (const [bytes, error] of fails) {
    it(`the error for ${JSON.stringify(bytes.toString("latin1").slice(0, 40))} is ${error}`, () => {
      const [command] = decodeAll([bytes]) as ReadonlyArray<ReadonlyArray<string>>
      assert.strictEqual(command?.[0], "Malformed")
      assert.strictEqual(command?.[2], error)
      assert.deepStrictEqual(decodeAll(cut(bytes, [1])), decodeAll([bytes]))
    })
  }

  it("the decoder allocates no memory for false sizes", () => {
    const lies = ["IDENTIFY\n", "AUTH\n", "PUB t\n", "DPUB t 1\n", "MPUB t\n"].flatMap((line) =>
      [-0x80000000, -1, 0, 0x7fffffff].map((size) => text(line, int32(size)))
    )
    for (const lie of [...lies, text("MPUB t\n", int32(9, 0x7fffffff)), text("MPUB t\n", int32(9, 1, 0x7fffffff))]) {
      const before = process.memoryUsage().arrayBuffers
      const reader = decoder()
      reader.feed(lie)
      const command = reader.next(open)
      assert.strictEqual(command?._tag === "Malformed" && command.error.fatal, true)
      assert.isAtMost(reader.buffered, lie.length)
      assert.isBelow(process.memoryUsage().arrayBuffers - before, 1024 * 1024)
    }
  })

  it("the sum of an MPUB's bodies is limited to the maximum body size, regardless of its size field", () => {
    const bodies = Array.from({ length: 6 }, () => Buffer.concat([int32(1_000_000), Buffer.alloc(1_000_000)]))
    const [command] = decodeAll([text("MPUB t\n", int32(100, 6), ...bodies)]) as ReadonlyArray<ReadonlyArray<string>>
    assert.strictEqual(command?.[2], "E_BAD_BODY MPUB body too big 6000028 > 5242880")
  })
})
