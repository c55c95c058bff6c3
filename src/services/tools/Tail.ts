/**
 * `nsq_tail`: prints the messages of topics (docs/protocol/tools.md#nsq_tail).
 */
import { Deferred, Effect, Random, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import { Consumer, Topic } from "../client/index.ts"
import { version } from "../core/Version.ts"
import type { Transport } from "../net/Transport.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as ClientLogger from "./ClientLogger.ts"
import * as Sources from "./Sources.ts"
import * as StandardOutput from "./StandardOutput.ts"
import { invalidOption, type ToolError } from "./ToolError.ts"

/** Options of `nsq_tail`. */
export interface TailOptions extends Sources.SourceOptions {
  readonly topics: ReadonlyArray<string>
  readonly channel: string
  /** Messages of one topic to print; 0 for no limit. */
  readonly count: number
  readonly printTopic: boolean
}

/** The flags of `nsq_tail`. */
export const table = {
  ...Sources.table,
  topics: row("topic", Kind.strings, (): ReadonlyArray<string> => [], "topic to print (may be given several times)"),
  channel: row("channel", Kind.string, () => "", "channel to consume (default: a new ephemeral channel)"),
  count: row("n", Kind.count, () => 0, "number of messages to print (0 for no limit)"),
  printTopic: row("print-topic", Kind.bool, () => false, "print the topic before each message")
}

/** Returns the defaults. */
export const defaults = (): TailOptions => OptionTable.defaults(table)

const newline = Buffer.from("\n")

/** Prints until the count is reached, or until standard output fails. */
export const main = Effect.fn("nsq_tail")(function*(
  options: TailOptions
): Effect.fn.Return<void, ToolError, Transport | HttpClient.HttpClient | Scope.Scope> {
  yield* Sources.servers(options)
  if (options.topics.length === 0) return yield* invalidOption("--topic required")
  const { count } = options
  const maxInFlight = count > 0 ? Math.min(count, options.maxInFlight) : options.maxInFlight
  const random = String(yield* Random.nextIntBetween(0, 999_999)).padStart(6, "0")
  const channel = options.channel === "" ? `tail${random}#ephemeral` : options.channel
  const ended = yield* Deferred.make<void, ToolError>()

  const follow = Effect.fnUntraced(function*(topic: string) {
    const settings = yield* Sources.consumerOptions({ ...options, maxInFlight }, `nsq_tail/${version}`, topic, channel)
    yield* ClientLogger.note(`Adding consumer for topic: ${topic}`)
    const consumer = yield* Consumer.make({ ...settings, topic: Topic.bytes(topic), drainTimeout: 0 })
    const prefix = Buffer.from(options.printTopic ? `${topic} | ` : "")
    let printed = 0
    const show = (body: Uint8Array) =>
      Effect.suspend(() => {
        if (count > 0 && printed >= count) return Effect.never
        printed++
        // A message that cannot be printed stays unfinished, and so do later ones.
        const shown = Effect.catch(
          StandardOutput.print(Buffer.concat([prefix, body, newline])),
          (error) => Effect.andThen(Deferred.fail(ended, error), Effect.never)
        )
        // The last message must be finished before the program ends.
        return count > 0 && printed === count
          ? Effect.andThen(
            shown,
            Effect.forkDetach(Effect.andThen(Effect.yieldNow, Deferred.succeed(ended, undefined)))
          )
          : shown
      })
    yield* consumer.run(show, { concurrency: 1 })
  })

  yield* Effect.raceFirst(
    Deferred.await(ended),
    Effect.forEach(options.topics, (topic) => ClientLogger.ofConsumer(topic, channel)(follow(topic)), {
      concurrency: "unbounded",
      discard: true
    })
  )
})
