/**
 * The encoding of commands without headers (docs/protocol/client.md). `Command` has the Schemas, which a client does not load.
 */

/**
 * The first bytes of a client: protocol version 2.
 *
 * @since 0.1.0
 * @category constants
 */
export const magicV2 = "  V2"

/** A command without headers. Delays are in milliseconds. */
export type PlainCommand =
  | { readonly _tag: "IDENTIFY"; readonly body: Uint8Array }
  | { readonly _tag: "AUTH"; readonly secret: Uint8Array }
  | { readonly _tag: "SUB"; readonly topic: string; readonly channel: string }
  | { readonly _tag: "PUB"; readonly topic: string; readonly body: Uint8Array }
  | { readonly _tag: "MPUB"; readonly topic: string; readonly bodies: ReadonlyArray<Uint8Array> }
  | { readonly _tag: "DPUB"; readonly topic: string; readonly deferMillis: number; readonly body: Uint8Array }
  | { readonly _tag: "RDY"; readonly count: number }
  | { readonly _tag: "FIN" | "TOUCH"; readonly id: string }
  | { readonly _tag: "REQ"; readonly id: string; readonly delayMillis: number; readonly reason?: string }
  | { readonly _tag: "CLS" | "NOP" }

const int32 = (value: number): Buffer => {
  const out = Buffer.allocUnsafe(4)
  out.writeInt32BE(value)
  return out
}

/** Returns a body after its size. */
export const sized = (body: Uint8Array): Buffer => Buffer.concat([int32(body.length), body])

/** Encodes a command. */
export const encodePlain = (command: PlainCommand): Buffer => {
  switch (command._tag) {
    case "IDENTIFY":
      return Buffer.concat([Buffer.from("IDENTIFY\n"), sized(command.body)])
    case "AUTH":
      return Buffer.concat([Buffer.from("AUTH\n"), sized(command.secret)])
    case "SUB":
      return Buffer.from(`SUB ${command.topic} ${command.channel}\n`)
    case "PUB":
      return Buffer.concat([Buffer.from(`PUB ${command.topic}\n`), sized(command.body)])
    case "DPUB":
      return Buffer.concat([Buffer.from(`DPUB ${command.topic} ${command.deferMillis}\n`), sized(command.body)])
    case "MPUB": {
      const body = Buffer.concat([int32(command.bodies.length), ...command.bodies.map(sized)])
      return Buffer.concat([Buffer.from(`MPUB ${command.topic}\n`), sized(body)])
    }
    case "RDY":
      return Buffer.from(`RDY ${command.count}\n`)
    case "FIN":
    case "TOUCH":
      return Buffer.from(`${command._tag} ${command.id}\n`, "latin1")
    case "REQ": {
      const { delayMillis, id, reason } = command
      return reason === undefined
        ? Buffer.from(`REQ ${id} ${delayMillis}\n`, "latin1")
        : Buffer.from(`REQ ${id} ${delayMillis} ${reason}\n`)
    }
    case "CLS":
    case "NOP":
      return Buffer.from(`${command._tag}\n`)
  }
}
