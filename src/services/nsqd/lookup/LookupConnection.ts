/**
 * nsqd's end of a connection to an nsqlookupd: requests and responses in order. A peer that does not respond, sends
 * too much or sends an invalid response loses the connection within a bounded time; there is no other effect.
 */
import { Effect, Queue, Schema, type Scope } from "effect"
import { AnswerDecoder, AnswerError } from "../../../protocol/lookup/LookupAnswer.ts"
import { encodeLookupCommand, type LookupCommand, magicV1 } from "../../../protocol/lookup/LookupCommand.ts"
import { type ConnectionLost, Transport } from "../../net/Transport.ts"

/** NSQ's timeout for connecting and for each response. */
const patience = "1 second"

/** Commands sent before their responses are read. */
const window = 256

/** The connection to an nsqlookupd could not be established, or failed. */
export class LookupError extends Schema.TaggedError<LookupError>()("LookupError", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** An open connection to an nsqlookupd. */
export interface LookupConnection {
  /**
   * Sends commands and returns their responses in the same order. `onAnswer` is called for each response as it
   * arrives, so responses before a lost connection are not lost. For one fiber at a time.
   */
  readonly ask: (
    commands: ReadonlyArray<LookupCommand>,
    onAnswer?: (command: LookupCommand, answer: string) => void
  ) => Effect.Effect<ReadonlyArray<string>, LookupError>
  /** Fails when the connection fails. Wait for it only while no command is outstanding. */
  readonly ended: Effect.Effect<never, LookupError>
}

const lost = ({ reason }: ConnectionLost): LookupError => new LookupError({ reason })
const timeout = Effect.fail(new LookupError({ reason: "i/o timeout" }))

/** Connects and sends the magic. The connection is closed with the Scope. Fails after 1 second. */
export const open = Effect.fnUntraced(function*(
  address: string,
  maxAnswerBytes: number
): Effect.fn.Return<LookupConnection, LookupError, Transport | Scope.Scope> {
  const transport = yield* Transport
  const connection = yield* transport.connect(address).pipe(
    Effect.mapError(({ message }) => new LookupError({ reason: message })),
    Effect.timeoutOrElse({ duration: patience, orElse: () => timeout })
  )
  connection.write(Buffer.from(magicV1))
  const answers = yield* Queue.bounded<string, LookupError>(window)

  const receive = Effect.gen(function*() {
    const decoder = new AnswerDecoder(maxAnswerBytes)
    while (true) {
      const answer = decoder.next()
      if (answer instanceof AnswerError) return yield* new LookupError({ reason: answer.message })
      if (answer !== undefined) {
        yield* Queue.offer(answers, answer.toString())
        continue
      }
      const chunk: Buffer | undefined = yield* Effect.mapError(connection.read, lost)
      if (chunk === undefined) return yield* new LookupError({ reason: "EOF" })
      decoder.feed(chunk)
    }
  })
  yield* receive.pipe(
    Effect.catchCause((cause) => Queue.failCause(answers, cause)),
    Effect.forkScoped
  )

  const answer = Effect.timeoutOrElse(Queue.take(answers), { duration: patience, orElse: () => timeout })

  return {
    ask: Effect.fnUntraced(function*(
      commands: ReadonlyArray<LookupCommand>,
      onAnswer?: (command: LookupCommand, answer: string) => void
    ) {
      const answered: Array<string> = []
      for (let at = 0; at < commands.length; at += window) {
        const some = commands.slice(at, at + window)
        connection.write(Buffer.concat(some.map(encodeLookupCommand)))
        for (const command of some) {
          const text = yield* answer
          onAnswer?.(command, text)
          answered.push(text)
        }
      }
      return answered
    }),
    ended: Effect.flatMap(Queue.take(answers), () => Effect.fail(new LookupError({ reason: "unexpected response" })))
  }
})
