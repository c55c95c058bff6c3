/**
 * `/topic/redrive` (docs/protocol/http.md#redrive): publishes dead letters again, says how far that is, and cancels it. One redrive of
 * a topic runs at a time.
 */
import { Cause, Clock, Effect, Exit, Fiber, Schema, type Scope, Semaphore } from "effect"
import { MessageId } from "../../../protocol/client/Message.ts"
import { ChannelName, isChannelName, isTopicName } from "../../../protocol/client/Names.ts"
import type { RedriveProgress } from "../../../protocol/http/RedriveResponse.ts"
import { Turns } from "../../core/Turns.ts"
import * as Arguments from "../../http/Arguments.ts"
import { fail, HttpFailure, internalError, json } from "../../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import { Publisher } from "../broker/Publisher.ts"
import { redrive, type RedriveCounts } from "../broker/Redrive.ts"
import type { Topic } from "../broker/Topic.ts"
import { refuse, topicNamed } from "./BrokerArguments.ts"
import * as LogPosition from "./LogPosition.ts"
import * as MessageFilter from "./MessageFilter.ts"

/** The channel of a dead-letter topic that has none. */
const usualChannel = ChannelName.make("redrive")

/** Redrives that have ended and are remembered. */
const maxRemembered = 1000

const isMessageId = Schema.is(MessageId)

interface Job {
  readonly fiber: Fiber.Fiber<void>
  readonly progress: () => RedriveProgress
}

const channelIn = (topic: Topic, name: string | undefined): Effect.Effect<ChannelName, HttpFailure> => {
  if (name !== undefined) {
    return isChannelName(name) ? Effect.succeed(name) : Effect.fail(fail(400, "INVALID_ARG_CHANNEL"))
  }
  const [only, ...more] = topic.channels
  if (more.length > 0) return Effect.fail(fail(400, "MISSING_ARG_CHANNEL"))
  return Effect.succeed(only?.name ?? usualChannel)
}

/** The endpoints, for the services of the environment. Redrives end with the Scope. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker | Publisher | Scope.Scope> = Effect.gen(
  function*() {
    const broker = yield* Broker
    const publisher = yield* Publisher
    const turns = yield* Turns
    const scope = yield* Effect.scope
    const jobs = new Map<string, Job>()
    const alone = yield* Semaphore.make(1)

    const isRunning = (job: Job | undefined): boolean => job !== undefined && job.fiber.pollUnsafe() === undefined

    const begin = Effect.fnUntraced(
      function*({ target }: HttpRequest) {
        const query = yield* Arguments.query(target)
        const topic = yield* Effect.flatMap(Arguments.topicName(target), topicNamed)
        const name = yield* channelIn(topic, query.get("channel"))
        const to = query.get("to")
        if (to !== undefined && (!isTopicName(to) || to === topic.name)) {
          return yield* fail(400, "INVALID_ARG_TO: must be the name of another topic")
        }
        const id = query.get("id")
        if (id !== undefined && !isMessageId(id)) {
          return yield* fail(400, "INVALID_ARG_ID: must be the id of a message, which has 16 hexadecimal digits")
        }
        const rateText = query.get("rate") ?? "0"
        const rate = /^\d{1,9}$/.test(rateText)
          ? Number(rateText)
          : yield* fail(400, "INVALID_ARG_RATE: must be a whole number of messages per second; 0 for no limit")
        const filter = yield* MessageFilter.ofQuery(query)
        yield* LogPosition.logOf(topic)
        if (isRunning(jobs.get(topic.name))) return yield* fail(409, "REDRIVE_RUNNING")
        const channel = yield* broker.channel(topic.name, name)
        const counts: RedriveCounts = { scanned: 0, moved: 0, skipped: 0 }
        const startedAt = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        let ended: Pick<RedriveProgress, "state" | "ended_at" | "error"> = { state: "running", ended_at: 0 }
        const run = redrive(
          { log: () => topic.log, channel, id, filter, to, rate },
          { publish: (to, bodies) => publisher.publish(to, bodies, 0), log: (to) => broker.findTopic(to)?.log },
          turns,
          counts
        ).pipe(
          Effect.onExit((exit) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              const ended_at = Math.floor(now / 1000)
              if (Exit.isSuccess(exit)) ended = { state: "done", ended_at }
              else if (Cause.hasInterruptsOnly(exit.cause)) ended = { state: "cancelled", ended_at }
              else ended = { state: "failed", ended_at, error: messageOf(exit.cause) }
            })
          ),
          Effect.ignoreCause
        )
        yield* Effect.logInfo(`TOPIC(${topic.name}): redrive of channel ${name} begins`)
        const fiber = yield* Effect.forkIn(run, scope)
        const progress = (): RedriveProgress => ({
          topic: topic.name,
          channel: name,
          to: to ?? "",
          ...counts,
          started_at: startedAt,
          ...ended
        })
        jobs.delete(topic.name)
        jobs.set(topic.name, { fiber, progress })
        for (const [other, job] of jobs) {
          if (jobs.size <= maxRemembered) break
          if (!isRunning(job)) jobs.delete(other)
        }
        return json(progress())
      },
      Effect.catchTags({
        BrokerError: refuse,
        StorageError: () => Effect.fail(new HttpFailure({ response: internalError }))
      }),
      // The channel may have to be created between the check for another redrive and the beginning of this one.
      alone.withPermit,
      Effect.provideService(Broker, broker)
    )

    const existing = Effect.fnUntraced(function*({ target }: HttpRequest) {
      const name = yield* Arguments.topicName(target)
      return jobs.get(name) ?? (yield* fail(404, "REDRIVE_NOT_FOUND"))
    })

    const cancel = Effect.fnUntraced(function*(request: HttpRequest) {
      const { fiber, progress } = yield* existing(request)
      yield* Fiber.interrupt(fiber)
      return json(progress())
    })

    return [
      route("POST", "/topic/redrive", begin),
      // Not logged: a program that waits for the end requests it all the time.
      route(
        "GET",
        "/topic/redrive",
        (request) => Effect.map(existing(request), ({ progress }) => json(progress())),
        false
      ),
      route("DELETE", "/topic/redrive", cancel)
    ]
  }
)

const messageOf = (cause: Cause.Cause<{ readonly message: string }>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}
