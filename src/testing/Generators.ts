/**
 * Generators for property tests of what speaks NSQ's wire protocol: commands, and the pieces in which a network delivers them. A value
 * that fails is made smaller, as by every `Arbitrary` of Effect.
 *
 * ```ts
 * it.effect.prop("a server takes commands in pieces of any size", [Generators.sequence()], ([{ commands, pieces }]) =>
 *   Effect.gen(function*() {
 *     const client = yield* ProtocolClient.connect(TestBroker.address)
 *     for (const piece of pieces) yield* client.raw(piece)
 *   }).pipe(Effect.provide(TestBroker.layer())))
 * ```
 */
import { Arbitrary, Schema } from "effect"
import { Command, encodeCommand } from "../protocol/client/Command.ts"

/**
 * Any commands, with valid names and numbers that are not negative. Bodies are any bytes, also for IDENTIFY.
 *
 * @since 0.2.0
 * @category generators
 */
export const commands: Arbitrary.Arbitrary<ReadonlyArray<Command>> = Arbitrary.schema(Schema.Array(Command))

/**
 * Commands that publish: PUB, MPUB and DPUB.
 *
 * @since 0.2.0
 * @category generators
 */
export const publishes: Arbitrary.Arbitrary<ReadonlyArray<Command>> = Arbitrary.map(
  commands,
  (sent) => sent.filter(({ _tag }) => _tag === "PUB" || _tag === "MPUB" || _tag === "DPUB" || _tag === "HPUB")
)

/**
 * Lengths of pieces in bytes, for `cut`: none, or some of 1 to 40.
 *
 * @since 0.2.0
 * @category generators
 */
export const lengths: Arbitrary.Arbitrary<ReadonlyArray<number>> = Arbitrary.schema(
  Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 })))
)

const changes = Arbitrary.schema(Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])))

/**
 * Splits bytes into pieces of these lengths, repeatedly; without lengths into one piece.
 *
 * @since 0.2.0
 * @category operations
 */
export const cut = (bytes: Buffer, lengths: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const pieces: Array<Buffer> = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[i % Math.max(1, lengths.length)] ?? bytes.length)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

/**
 * Commands, their bytes, and the pieces in which these arrive.
 *
 * @since 0.2.0
 * @category models
 */
export interface Sequence {
  readonly commands: ReadonlyArray<Command>
  /** The encoded commands, without the magic. */
  readonly bytes: Buffer
  /** The bytes, cut anywhere. */
  readonly pieces: ReadonlyArray<Buffer>
}

/**
 * Commands that arrive in pieces cut anywhere. Default: any `commands`.
 *
 * @since 0.2.0
 * @category generators
 */
export const sequence = (
  sent: Arbitrary.Arbitrary<ReadonlyArray<Command>> = commands
): Arbitrary.Arbitrary<Sequence> =>
  Arbitrary.map(Arbitrary.all([sent, lengths]), ([commands, lengths]) => {
    const bytes = Buffer.concat(commands.map(encodeCommand))
    return { commands, bytes, pieces: cut(bytes, lengths) }
  })

/**
 * A sequence with some of its bytes replaced, which a server must refuse without a crash. `commands` are those from before.
 *
 * @since 0.2.0
 * @category generators
 */
export const damagedSequence = (
  sent: Arbitrary.Arbitrary<ReadonlyArray<Command>> = commands
): Arbitrary.Arbitrary<Sequence> =>
  Arbitrary.map(Arbitrary.all([sent, lengths, changes]), ([commands, lengths, changes]) => {
    const bytes = Buffer.concat(commands.map(encodeCommand))
    for (const [at, value] of changes) {
      if (bytes.length > 0) bytes[Math.abs(at) % bytes.length] = value & 0xff
    }
    return { commands, bytes, pieces: cut(bytes, lengths) }
  })
