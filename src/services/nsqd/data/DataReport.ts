/**
 * The result of `nsq data verify` (docs/operations.md#verify-a-data-directory): what the topics and channels of a data directory
 * have, and which files are damaged.
 */

/** What a topic or a channel has in one of the two forms of storage. */
export interface Holding {
  readonly topic: string
  /** `undefined` for the messages of the topic itself, which no channel has got yet. */
  readonly channel: string | undefined
  /** `log` for a durable topic, `queue` for NSQ's disk queues. */
  readonly storage: "log" | "queue"
  readonly isPaused: boolean
  /** Whether `nsqd.dat`, its journal or the log has it; nsqd does not open disk queues that are not listed. */
  readonly isListed: boolean
  /** Unfinished messages, without deferred ones. */
  readonly messages: number
  /** Unfinished messages that are not due yet. */
  readonly deferred: number
  /** Bytes of the bodies of both. */
  readonly bytes: number
  /** Messages by the names of their headers, which NSQ's format cannot hold: up to 100 names. */
  readonly headers: Readonly<Record<string, number>>
}

/** A part of a file that cannot be read or is not what was written. */
export interface Damage {
  readonly file: string
  /** In bytes. */
  readonly position: number
  /** Unfinished messages that cannot be delivered, as far as known. */
  readonly messagesLost: number
  readonly description: string
}

/** Something to know that is not damage, such as an incomplete record that a crash has left. */
export interface Note {
  readonly file: string
  readonly position: number
  readonly description: string
}

/** The result of a verification. */
export interface DataReport {
  readonly dataPath: string
  readonly holdings: ReadonlyArray<Holding>
  readonly damages: ReadonlyArray<Damage>
  readonly notes: ReadonlyArray<Note>
}

/** Collects what a verification finds. */
export class Findings {
  readonly damages: Array<Damage> = []
  readonly notes: Array<Note> = []

  damage(file: string, position: number, messagesLost: number, description: string): void {
    this.damages.push({ file, position, messagesLost, description })
  }

  note(file: string, position: number, description: string): void {
    this.notes.push({ file, position, description })
  }
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/** The names of headers with the number of their messages; empty without headers. */
export const headersOf = ({ headers }: Holding): string =>
  Object.entries(headers).map(([name, count]) => `${name} (${count})`).join(", ")

/** The name of a topic's or channel's queue. */
export const nameOf = ({ channel, topic }: Holding): string => channel === undefined ? topic : `${topic}:${channel}`

const lineOf = (holding: Holding, width: number): string => {
  const { bytes, deferred, isListed, isPaused, messages, storage } = holding
  const columns = [
    nameOf(holding).padEnd(width),
    storage.padEnd(5),
    `messages ${messages}`,
    `deferred ${deferred}`,
    `bytes ${bytes}`,
    ...headersOf(holding) === "" ? [] : [`headers ${headersOf(holding)}`],
    ...isPaused ? ["paused"] : [],
    ...isListed ? [] : ["not in nsqd.dat"]
  ]
  return columns.join("  ")
}

/** Returns the report as text: a line per topic and channel, one per damage, and the result. */
export const toText = ({ damages, dataPath, holdings, notes }: DataReport): string => {
  const width = holdings.reduce((most, holding) => Math.max(most, nameOf(holding).length), 0)
  const lost = damages.reduce((sum, { messagesLost }) => sum + messagesLost, 0)
  return [
    ...holdings.map((holding) => lineOf(holding, width)),
    ...notes.map(({ description, file, position }) => `note: ${file} at ${position}: ${description}`),
    ...damages.map(({ description, file, messagesLost, position }) =>
      `damage: ${file} at ${position}: ${description}; messages lost: ${messagesLost}`
    ),
    damages.length === 0
      ? `${dataPath} is intact`
      : `${dataPath} is damaged: ${plural(damages.length, "damage")}, ${plural(lost, "message")} lost`
  ].join("\n")
}

/** Returns the report as one JSON object. */
export const toJson = ({ damages, dataPath, holdings, notes }: DataReport): string =>
  JSON.stringify({
    data_path: dataPath,
    intact: damages.length === 0,
    topics: holdings.map(({ bytes, channel, deferred, headers, isListed, isPaused, messages, storage, topic }) => ({
      topic,
      channel: channel ?? null,
      storage,
      paused: isPaused,
      listed: isListed,
      messages,
      deferred,
      bytes,
      ...(Object.keys(headers).length === 0 ? {} : { headers })
    })),
    damage: damages.map(({ description, file, messagesLost, position }) => ({
      file,
      position,
      messages_lost: messagesLost,
      description
    })),
    notes
  })
