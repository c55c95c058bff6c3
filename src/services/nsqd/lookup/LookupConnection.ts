/**
 * nsqd's end of a connection to an nsqlookupd: questions and answers in order. Whatever the peer does, say nothing, say too
 * much or say nonsense, ends the connection within a bounded time and has no other effect.
 */
import { Effect, Queue, Schema, type Scope } from "effect"
import { AnswerDecoder, AnswerError } from "../../../protocol/lookup/LookupAnswer.ts"
import { encodeLookupCommand, type LookupCommand, magicV1 } from "../../../protocol/lookup/LookupCommand.ts"
import { type ConnectionLost, Transport } from "../../net/Transport.ts"

/** NSQ's limit for connecting and for every answer. */
const patience = "1 second"

/** Commands on their way at a time. */
const window = 256

/** The connection to an nsqlookupd does not come about, or is of no use any more. */
export class LookupError extends Schema.TaggedError<LookupError>()("LookupError", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

export interface LookupConnection {
  /**
   * Sends commands and gives their answers, as many and in the same order, each to `onAnswer` as soon as it is there: what came
   * before the connection is lost counts. One fiber at a time.
   */
  readonly ask: (
    commands: ReadonlyArray<LookupCommand>,
    onAnswer?: (command: LookupCommand, answer: string) => void
  ) => Effect.Effect<ReadonlyArray<string>, LookupError>
  /** Fails when the connection is of no use any more. To be waited for while nothing is asked. */
  readonly ended: Effect.Effect<never, LookupError>
}

const lost = ({ reason }: ConnectionLost): LookupError => new LookupError({ reason })
const timeout = Effect.fail(new LookupError({ reason: "i/o timeout" }))

/** Connects and says the magic. The connection ends when the Scope closes. */
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
