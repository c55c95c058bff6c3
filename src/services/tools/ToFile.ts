/**
 * `nsq_to_file`: writes the messages of topics to files, one per line, and finishes each after a sync of its file
 * (docs/protocol/tools.md#nsq_to_file).
 */
import {
  Clock,
  Duration,
  Effect,
  FiberMap,
  Layer,
  Queue,
  Result,
  Schedule,
  type Scope,
  Semaphore,
  Stream
} from "effect"
import type { HttpClient } from "effect/http"
import process from "node:process"
import { RE2JS } from "re2js"
import { Consumer, type Delivery, Discovery, Topic } from "../client/index.ts"
import { DaemonState } from "../core/DaemonState.ts"
import { version } from "../core/Version.ts"
import * as HttpClients from "../http/HttpClients.ts"
import type { Transport } from "../net/Transport.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as FileNames from "./FileNames.ts"
import * as HttpCalls from "./HttpCalls.ts"
import * as OutputDirectory from "./OutputDirectory.ts"
import type { OutputFiles } from "./OutputFiles.ts"
import * as Progress from "./Progress.ts"
import * as Sources from "./Sources.ts"
import { invalidOption, type ToolError, toolError } from "./ToolError.ts"
import { type FileSettings, TopicFile } from "./TopicFile.ts"

/** Options of `nsq_to_file`. */
export interface ToFileOptions extends Sources.SourceOptions, HttpClients.HttpOptions {
  readonly topics: ReadonlyArray<string>
  readonly topicPattern: string
  readonly topicRefresh: Duration.Duration
  readonly channel: string
  readonly outputDir: string
  readonly workDir: string
  readonly datetimeFormat: string
  readonly filenameFormat: string
  readonly hostIdentifier: string
  readonly gzip: boolean
  readonly gzipLevel: number
  readonly skipEmptyFiles: boolean
  readonly rotateSize: number
  readonly rotateInterval: Duration.Duration
  readonly syncInterval: Duration.Duration
  readonly logLevel: string
  readonly logPrefix: string
}

const program = `nsq_to_file/${version}`
const text = (value: string) => () => value
const off = () => false
const seconds = (count: number) => () => Duration.seconds(count)

/** The flags of `nsq_to_file`. */
export const table = {
  ...Sources.table,
  ...HttpCalls.table("5 seconds"),
  topics: row("topic", Kind.strings, (): ReadonlyArray<string> => [], "topic to write (may be given several times)"),
  topicPattern: row("topic-pattern", Kind.string, text(""), "regular expression that topics must match"),
  topicRefresh: row("topic-refresh", Kind.span, seconds(60), "time between two searches for new topics"),
  channel: row("channel", Kind.string, text("nsq_to_file"), "channel to consume"),
  outputDir: row("output-dir", Kind.string, text("/tmp"), "directory of the finished files"),
  workDir: row(
    "work-dir",
    Kind.string,
    text(""),
    "directory of the files being written (default: the output directory)"
  ),
  datetimeFormat: row("datetime-format", Kind.string, text("%Y-%m-%d_%H"), "strftime format of <DATETIME>"),
  filenameFormat: row(
    "filename-format",
    Kind.string,
    text("<TOPIC>.<HOST><REV>.<DATETIME>.log"),
    "name of a file, with <TOPIC>, <HOST>, <PID>, <DATETIME> and <REV>"
  ),
  hostIdentifier: row(
    "host-identifier",
    Kind.string,
    text(""),
    "value of <HOST>; may contain <SHORT_HOST> and <HOSTNAME>"
  ),
  gzip: row("gzip", Kind.bool, off, "compress the files"),
  gzipLevel: row("gzip-level", Kind.int, () => 6, "compression level, 1 to 9"),
  skipEmptyFiles: row("skip-empty-files", Kind.bool, off, "do not create files without messages"),
  rotateSize: row("rotate-size", Kind.count, () => 0, "size in bytes after which a new file is begun (0 for no limit)"),
  rotateInterval: row(
    "rotate-interval",
    Kind.span,
    seconds(0),
    "age after which a new file is begun (0 for no limit)"
  ),
  syncInterval: row("sync-interval", Kind.span, seconds(30), "longest time between two syncs to the disk"),
  logLevel: row(
    "log-level",
    Kind.string,
    text("info"),
    "least severe level to log: debug, info, warn, error or fatal"
  ),
  logPrefix: row("log-prefix", Kind.string, text("[nsq_to_file] "), "start of every log line")
}

/** Returns the defaults. */
export const defaults = (): ToFileOptions => OptionTable.defaults(table)

/** Returns the level, or `undefined` if it does not exist. */
export const parseLogLevel = (text: string): Kind.NsqLogLevel | undefined =>
  Result.getOrUndefined(Kind.logLevel.parse(text, undefined))

const check = (options: ToFileOptions): string | undefined => {
  if (parseLogLevel(options.logLevel) === undefined) return "--log-level is invalid"
  if (options.channel === "") return "--channel is required"
  if (options.gzipLevel < 1 || options.gzipLevel > 9) {
    return `invalid --gzip-level value (${options.gzipLevel}), should be 1-9`
  }
  if (options.topics.length === 0 && options.topicPattern === "") return "--topic or --topic-pattern required"
  if (options.topics.length === 0 && options.lookupdHttpAddresses.length === 0) {
    return "--lookupd-http-address must be specified when no --topic specified"
  }
  return undefined
}

const fileSettings = (options: ToFileOptions): FileSettings => {
  const workDir = options.workDir === "" ? options.outputDir : options.workDir
  const rotateInterval = Duration.toMillis(options.rotateInterval)
  return {
    ...options,
    workDir,
    rotateInterval,
    hasRevisions: options.gzip || options.rotateSize > 0 || rotateInterval > 0 || workDir !== options.outputDir
  }
}

/** Writes one topic until interrupted or until a file operation fails; after a failure no message is finished. */
const writeTopic = Effect.fnUntraced(function*(
  options: ToFileOptions,
  settings: FileSettings,
  topic: string,
  reopens: Stream.Stream<void>,
  progress: Progress.Progress
) {
  const { channel } = options
  const consumer = yield* Consumer.make({
    ...(yield* Sources.consumerOptions(options, program, topic, channel)),
    topic: Topic.bytes(topic),
    // No limit: redelivery during a long sync interval is not a failed attempt.
    maxAttempts: 0,
    // nsqd's timeout limits how long a message waits for a sync, as in NSQ.
    autoTouch: false,
    // Messages are finished or abandoned before the consumer ends.
    drainTimeout: 0
  })
  const file = new TopicFile(topic, settings)
  const permit = yield* Semaphore.make(1)
  let unfinished: Array<Delivery<Uint8Array>> = []

  /** Interruption waits for the end of a step, so that written messages are synced before the end. */
  const alone = <E, R>(step: Effect.Effect<void, E, R>) => permit.withPermit(Effect.uninterruptible(step))

  const finishAll = Effect.suspend(() => {
    const done = unfinished
    unfinished = []
    return Effect.forEach(done, (delivery) => delivery.finish, { discard: true })
  })

  const sync = Effect.suspend(() =>
    unfinished.length === 0
      ? Effect.void
      : Effect.logInfo(`[${topic}/${channel}] syncing ${unfinished.length} records to disk`)
  ).pipe(Effect.andThen(file.sync), Effect.andThen(finishAll))

  const close = Effect.andThen(sync, file.finish)

  const rotate = Effect.flatMap(file.rotation, (reason) =>
    reason === undefined
      ? Effect.void
      : Effect.logInfo(reason).pipe(
        Effect.andThen(close),
        Effect.andThen(Effect.sync(() => file.nextRevision()))
      ))

  const write = Effect.fnUntraced(function*(deliveries: ReadonlyArray<Delivery<Uint8Array>>) {
    for (const delivery of deliveries) {
      yield* rotate
      if (!file.isOpen) yield* file.open
      file.write(delivery.body)
      progress.add(1, delivery.body.length)
      unfinished.push(delivery)
      if (unfinished.length >= options.maxInFlight) yield* sync
    }
    yield* file.flush
    if (yield* consumer.isStarved) yield* sync
  })

  const tick = Effect.gen(function*() {
    yield* rotate
    if (!file.isOpen && !options.skipEmptyFiles) yield* file.open
    yield* sync
  })

  const reopen = Effect.andThen(
    close,
    Effect.sync(() => {
      if (settings.gzip || settings.rotateInterval > 0) file.nextRevision()
    })
  )

  const noteFailure = ({ reason }: ToolError) =>
    Effect.andThen(Effect.logFatal(`[${topic}/${channel}] ${reason.description}`), DaemonState.lose)

  /** Messages without a sync stay unfinished; nsqd requeues them when the connection ends. */
  const abandon = Effect.suspend(() =>
    Effect.andThen(
      file.abandon,
      unfinished.length === 0
        ? Effect.void
        : Effect.logWarning(`[${topic}/${channel}] ${unfinished.length} messages that are not synced are requeued`)
    )
  )

  // Runs before the consumer's finalizer, so that synced messages can still be finished.
  yield* Effect.addFinalizer(() =>
    alone(
      Effect.suspend(() =>
        file.hasFailed ? abandon : Effect.catch(close, (error) => Effect.andThen(noteFailure(error), abandon))
      )
    )
  )
  yield* Effect.all([
    Stream.runForEach(consumer.messageArrays, (deliveries) => alone(write(deliveries))),
    Effect.forever(Effect.delay(alone(tick), options.syncInterval)),
    Stream.runForEach(reopens, () => alone(reopen))
  ], { concurrency: "unbounded", discard: true })
})

/** Compiles an RE2 expression, as in Go, that matches anywhere in a topic's name. An empty one matches all. */
const compilePattern = (pattern: string): Effect.Effect<(topic: string) => boolean, ToolError> =>
  Effect.try({
    try: () => {
      const compiled = RE2JS.compile(pattern)
      return (topic: string) => compiled.test(topic)
    },
    catch: (cause) =>
      invalidOption(
        `invalid --topic-pattern ${JSON.stringify(pattern)}: ${cause instanceof Error ? cause.message : String(cause)}`
      )
  })

/** Emits on each SIGHUP while the Stream is consumed. */
const hangups: Stream.Stream<void> = Stream.callback((queue) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const offer = (): void => void Queue.offerUnsafe(queue, undefined)
      process.on("SIGHUP", offer)
      return offer
    }),
    (offer) => Effect.sync(() => process.off("SIGHUP", offer))
  )
)

/** Writes until interrupted. */
export const main = Effect.fn("nsq_to_file")(function*(
  options: ToFileOptions
): Effect.fn.Return<void, ToolError, Transport | HttpClient.HttpClient | OutputFiles | Scope.Scope> {
  const problem = check(options)
  if (problem !== undefined) return yield* invalidOption(problem)
  const matches = yield* compilePattern(options.topicPattern)
  yield* HttpCalls.check(options)
  // Ends the program if the servers are unusable; topics that cannot be written are only logged.
  yield* Sources.connection(options, program)
  const settings = fileSettings(options)
  const reopens = yield* Stream.broadcast(hangups, { capacity: 1, strategy: "sliding" })
  const progress = yield* Progress.make("written")
  const writers = yield* FiberMap.make<string, void, ToolError>()

  /** Starts writing a topic. One that cannot be written is logged and skipped; a failed disk ends the program. */
  const start = Effect.fnUntraced(function*(topic: string) {
    if (yield* FiberMap.has(writers, topic)) return
    if (!matches(topic)) {
      return yield* Effect.logWarning(`skipping topic ${topic} (doesn't match pattern ${options.topicPattern})`)
    }
    const now = new Date(yield* Clock.currentTimeMillis)
    const unnamed = FileNames.problem(settings) ?? OutputDirectory.problem(FileNames.baseName(settings, topic, now))
    if (unnamed !== undefined) {
      return yield* Effect.logError(`couldn't create logger for new topic ${topic}: ${unnamed}`)
    }
    const writing = Effect.scoped(writeTopic(options, settings, topic, reopens, progress)).pipe(
      Effect.catchIf(
        ({ reason }) => reason._tag !== "FileFailure",
        (error) => Effect.logError(`couldn't create logger for new topic ${topic}: ${error.message}`)
      )
    )
    yield* FiberMap.run(writers, topic, writing)
  })

  const http = yield* Layer.build(HttpClients.layer(options))
  const topicsOf = (address: string) =>
    Discovery.topics(address).pipe(
      Effect.provide(http),
      Effect.timeoutOrElse({
        duration: options.httpClientRequestTimeout,
        orElse: () =>
          Effect.fail(
            toolError(
              "DaemonFailure",
              `error querying nsqlookupd (${address}) - timed out after ${
                Duration.format(options.httpClientRequestTimeout)
              }`
            )
          )
      })
    )

  const discover = Effect.gen(function*() {
    const found = yield* Effect.forEach(
      options.lookupdHttpAddresses,
      (address) => Effect.catch(topicsOf(address), (error) => Effect.as(Effect.logError(error.message), []))
    )
    yield* Effect.forEach(new Set(found.flat().filter(matches)), start, { discard: true })
  }).pipe(Effect.repeat(Schedule.spaced(options.topicRefresh)))

  yield* Effect.forEach(options.topics, start, { discard: true })
  const discovering = options.topics.length === 0 ? discover : Effect.never
  yield* Effect.raceFirst(FiberMap.join(writers), Effect.andThen(discovering, Effect.never))
})
