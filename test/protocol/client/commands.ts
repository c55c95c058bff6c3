/**
 * Shared by the tests of the command decoder: generated commands, lengths of pieces, and decoded commands as plain values.
 */
import { type Command, encodeCommand } from "../../../src/protocol/client/Command.ts"
import { CommandDecoder, type CommandGate, type DecoderLimits } from "../../../src/protocol/client/CommandDecoder.ts"
import type { Decoded } from "../../../src/protocol/client/Decoded.ts"
import { formatMessageKey } from "../../../src/protocol/client/Message.ts"
import { bodiesOf } from "../../../src/services/nsqd/broker/Publisher.ts"
import * as Generators from "../../../src/testing/Generators.ts"

export const limits: DecoderLimits = {
  maxMsgSize: 1024 * 1024,
  maxBodySize: 5 * 1024 * 1024,
  maxIdentifySize: 64 * 1024,
  maxReqTimeoutMillis: 3_600_000,
  maxRdyCount: 2500
}

/** Permits every command. */
export const open: CommandGate = { refuse: () => undefined }

export const decoder = (changed: Partial<DecoderLimits> = {}): CommandDecoder =>
  new CommandDecoder({ ...limits, ...changed })

/** Converts a decoded command to a value without its buffers. */
export const plain = (decoded: Decoded): ReadonlyArray<unknown> => {
  switch (decoded._tag) {
    case "PUB":
      // The number of pipelined PUBs in one command depends on the pieces.
      return bodiesOf(decoded.bodies).map((body) => ["PUB", decoded.topic, body.toString("hex")])
    case "MPUB":
    case "DPUB":
    case "HPUB":
      return [[
        decoded._tag,
        decoded.topic,
        decoded.deferMillis,
        ...(decoded._tag === "HPUB" ? [Buffer.concat([decoded.bodies.headers ?? []].flat()).toString()] : []),
        ...bodiesOf(decoded.bodies).map((body) => body.toString("hex"))
      ]]
    case "FIN":
    case "TOUCH":
      return [[decoded._tag, formatMessageKey(decoded)]]
    case "REQ":
      return [[decoded._tag, formatMessageKey(decoded), decoded.delayMillis]]
    case "IDENTIFY":
      return [[decoded._tag, decoded.body.toString("hex")]]
    case "AUTH":
      return [[decoded._tag, decoded.secret.toString("hex")]]
    case "SUB":
      return [[decoded._tag, decoded.topic, decoded.channel]]
    case "RDY":
      return [[decoded._tag, decoded.count]]
    case "Malformed":
      return [[decoded._tag, decoded.command, decoded.error.message, decoded.topic ?? ""]]
    default:
      return [[decoded._tag]]
  }
}

/** Returns all commands that a decoder returns for the pieces, up to the first one that ends the connection. */
export const decodeAll = (
  pieces: ReadonlyArray<Buffer>,
  changed: Partial<DecoderLimits> = {},
  gate: CommandGate = open
): ReadonlyArray<unknown> => {
  const reader = decoder(changed)
  const out: Array<unknown> = []
  const takeAll = (): boolean => {
    for (let command = reader.next(gate); command !== undefined; command = reader.next(gate)) {
      out.push(...plain(command))
      if (command._tag === "Malformed" || command._tag === "Overlong") return false
    }
    return true
  }
  for (const piece of pieces) {
    reader.feed(Buffer.from(piece))
    if (!takeAll()) return out
  }
  reader.finish()
  takeAll()
  return out
}

export const { cut } = Generators

/** Lengths of pieces, mostly small. */
export const CutLengths = Generators.lengths

/** Commands of a well-behaved client, with numbers within the limits. */
export const Commands = Generators.commands

export const encodeAll = (commands: ReadonlyArray<Command>): Buffer => Buffer.concat(commands.map(encodeCommand))

export const int32 = (...values: ReadonlyArray<number>): Buffer => {
  const out = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => out.writeInt32BE(value, 4 * i))
  return out
}
