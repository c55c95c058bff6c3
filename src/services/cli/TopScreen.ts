/** The screen of `nsq top`: which table is shown, its order and the selected row, changed by keys; and the lines of the screen. */
import * as Rows from "./topRows.ts"
import type { Sample, Scope } from "./TopSample.ts"

/** A key, by the name that a terminal gives it. */
export interface Key {
  readonly name: string
  readonly shift: boolean
}

interface Level extends Scope {
  readonly table: Rows.Table
  /** 0 is the name, then the columns. */
  sort: number
  isDescending: boolean
  /** The name of the selected row; rows move as they are sorted. */
  selected: string | undefined
}

const levelOf = (table: Rows.Table, scope: Scope): Level => ({
  ...scope,
  table,
  sort: table.sort,
  isDescending: true,
  selected: undefined
})

const grouped = new Intl.NumberFormat("en-US")
const escape = String.fromCharCode(27)
const reverse = (text: string): string => `${escape}[7m${text}${escape}[27m`
const bold = (text: string): string => `${escape}[1m${text}${escape}[22m`

const fit = (text: string, width: number): string =>
  text.length <= width ? text.padEnd(width) : width <= 1 ? text.slice(0, width) : `${text.slice(0, width - 1)}…`

const cellText = (cell: number | string, width: number): string =>
  typeof cell === "number" ? grouped.format(Math.round(cell)).padStart(width) : fit(cell, width)

const gap = "  "
/** Lines that are not rows: totals, path, headings, keys. */
const frame = 4
const keys = "up/down select  enter open  left back  s sort  r reverse  q quit"

/** The state of the screen. */
export class Screen {
  private readonly levels: Array<Level> = [levelOf(Rows.topics, { topic: undefined, channel: undefined })]
  private now: Sample | undefined
  private before: Sample | undefined

  private get level(): Level {
    const level = this.levels.at(-1)
    if (level === undefined) throw new Error("the screen has no table")
    return level
  }

  /** The part of the cluster that is shown. */
  get scope(): Scope {
    const { channel, topic } = this.level
    return { channel, topic }
  }

  /** Shows a sample. One of another part of the cluster, which was requested before a key changed it, is left out. */
  show(sample: Sample, { channel, topic }: Scope): void {
    if (channel !== this.level.channel || topic !== this.level.topic) return
    this.before = this.now
    this.now = sample
  }

  private rows(): ReadonlyArray<Rows.Row> {
    if (this.now === undefined) return []
    const { isDescending, sort, table } = this.level
    const value = ({ cells, name }: Rows.Row): number | string => sort === 0 ? name : cells[sort - 1] ?? 0
    const sign = isDescending ? -1 : 1
    return table.rows(this.now, this.before).toSorted((a, b) => {
      const [x, y] = [value(a), value(b)]
      const order = typeof x === "number" && typeof y === "number"
        ? x - y
        : String(x) < String(y)
        ? -1
        : Number(x !== y)
      return order !== 0 ? order * sign : a.name < b.name ? -1 : 1
    })
  }

  private static indexIn(rows: ReadonlyArray<Rows.Row>, selected: string | undefined): number {
    return Math.max(0, rows.findIndex(({ name }) => name === selected))
  }

  private move(by: number): void {
    const rows = this.rows()
    const index = Screen.indexIn(rows, this.level.selected) + by
    this.level.selected = rows[Math.max(0, Math.min(rows.length - 1, index))]?.name
  }

  private enter(table: Rows.Table, scope: Scope): void {
    this.levels.push(levelOf(table, scope))
    this.now = undefined
    this.before = undefined
  }

  private open(): void {
    const rows = this.rows()
    const name = rows[Screen.indexIn(rows, this.level.selected)]?.name
    const { channel, topic } = this.level
    if (name === undefined || channel !== undefined) return
    this.level.selected = name
    if (topic === undefined) this.enter(Rows.channelsOf(name), { topic: name, channel: undefined })
    else this.enter(Rows.clients(topic, name), { topic, channel: name })
  }

  private back(): void {
    if (this.levels.length === 1) return
    this.levels.pop()
    this.now = undefined
    this.before = undefined
  }

  private sortBy(column: number): void {
    const { level } = this
    const count = level.table.columns.length + 1
    level.sort = (column + count) % count
    level.isDescending = level.sort !== 0
  }

  /** Does what a key stands for. Returns whether the program goes on. */
  press({ name, shift }: Key): boolean {
    const digit = /^[1-9]$/.test(name) ? Number(name) : 0
    if (digit > 0 && digit <= this.level.table.columns.length + 1) this.sortBy(digit - 1)
    switch (name) {
      case "q":
        return false
      case "up":
      case "k":
        this.move(-1)
        break
      case "down":
      case "j":
        this.move(1)
        break
      case "pageup":
        this.move(-10)
        break
      case "pagedown":
        this.move(10)
        break
      case "return":
      case "enter":
      case "right":
      case "l":
        this.open()
        break
      case "left":
      case "backspace":
      case "h":
        this.back()
        break
      case "s":
        this.sortBy(this.level.sort + (shift ? -1 : 1))
        break
      case "r":
        this.level.isDescending = !this.level.isDescending
        break
    }
    return true
  }

  private heading(): string {
    const { now } = this
    if (now === undefined) return "nsq top  waiting for the first response"
    const nodes = `${now.nodes.length} nsqd${
      now.failures.length > 0 ? `, ${now.failures.length} without response` : ""
    }`
    if (this.level.topic !== undefined) return `nsq top  ${nodes}`
    const { backlog, perSecond, topics } = Rows.totals(now, this.before)
    return `nsq top  ${nodes}  ${grouped.format(topics)} topics  backlog ${grouped.format(backlog)}  ` +
      `${grouped.format(Math.round(perSecond))} in/s`
  }

  private path(): string {
    const { channel, topic } = this.level
    return ["topics", topic, channel].filter((part) => part !== undefined).join(" > ")
  }

  /** Returns the lines of a screen of this size, without line ends. */
  lines(width: number, height: number): ReadonlyArray<string> {
    const { isDescending, selected, sort, table } = this.level
    const room = Math.max(1, height - frame)
    const nameWidth = Math.max(
      8,
      width - table.columns.reduce((sum, column) => sum + column.width + gap.length, 0)
    )
    const mark = (heading: string, column: number): string =>
      column === sort ? `${isDescending ? "v" : "^"}${heading}` : heading
    const headings = [
      fit(mark(table.name, 0), nameWidth),
      ...table.columns.map(({ heading, width }, i) => mark(heading, i + 1).padStart(width))
    ].join(gap)
    const rows = this.rows()
    const index = Screen.indexIn(rows, selected)
    const first = Math.max(0, Math.min(index - Math.floor(room / 2), rows.length - room))
    const shown = rows.slice(first, first + room).map(({ cells, name, paused }, i) => {
      const text = [
        fit(paused ? `${name} (paused)` : name, nameWidth),
        ...table.columns.map(({ width }, column) => cellText(cells[column] ?? "", width))
      ].join(gap)
      return first + i === index ? reverse(fit(text, width)) : fit(text, width).trimEnd()
    })
    const [failure] = this.now?.failures ?? []
    return [
      fit(this.heading(), width).trimEnd(),
      fit(this.path(), width).trimEnd(),
      bold(fit(headings, width)),
      ...shown,
      ...Array.from({ length: room - shown.length }, () => ""),
      fit(failure ?? keys, width).trimEnd()
    ]
  }
}
