import { useAtom } from "@effect/atom-react"
import { Atom } from "effect/reactivity"
import { useEffect, useState } from "react"
import * as Format from "../core/format.ts"
import * as Range from "../core/range.ts"
import * as Search from "../core/search.ts"
import { settings } from "../core/settings.ts"

/** The range of all large charts, which pages share until the tab is closed. */
export const rangeAtom = Atom.keepAlive(Atom.make<Range.Range>(Range.parse(Search.get("range"))))

/** Whether charts show the day before as well. */
export const compareAtom = Atom.keepAlive(Atom.make(Search.get("compare") === "day"))

/** Returns what a range is called in a sentence. */
export const wordsOf = ({ span, to }: Range.Range): string =>
  to === 0
    ? Range.presets.find((preset) => preset.span === span)?.words ?? Format.span(span)
    : Format.range(to - span, to)

/** Formats a time for an input, in the browser's time zone. */
const local = (at: number): string => {
  const date = new Date(at)
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

const Custom = ({ onChoose, range }: {
  readonly range: Range.Range
  readonly onChoose: (range: Range.Range) => void
}) => {
  const end = range.to === 0 ? Date.now() : range.to
  const [from, setFrom] = useState(local(end - range.span))
  const [to, setTo] = useState(local(end))
  const chosen = Range.between(new Date(from).getTime(), new Date(to).getTime())
  return (
    <form
      className="custom"
      onSubmit={(event) => {
        event.preventDefault()
        if (chosen !== undefined) onChoose(chosen)
      }}
    >
      <label>
        From <input type="datetime-local" value={from} onChange={({ target }) => setFrom(target.value)} />
      </label>
      <label>
        to <input type="datetime-local" value={to} onChange={({ target }) => setTo(target.value)} />
      </label>
      <button type="submit" disabled={chosen === undefined}>Show range</button>
    </form>
  )
}

/** A menu for the range of large charts, and for the comparison with the day before. */
export const RangeMenu = () => {
  const [range, setRange] = useAtom(rangeAtom)
  const [compares, setCompares] = useAtom(compareAtom)
  const [isOpen, setOpen] = useState(false)
  useEffect(() => {
    Search.set("range", Range.format(range))
    Search.set("compare", compares ? "day" : "")
  }, [range, compares])
  const isStored = settings.historySpan > Range.initial.span
  return (
    <div className="ranges">
      <div className="segments" role="group" aria-label="Time range of the charts">
        {Range.presets.filter(({ span }) => span <= Range.initial.span || isStored).map(({ label, name, span }) => (
          <button
            key={name}
            type="button"
            aria-pressed={range.to === 0 && range.span === span}
            onClick={() => {
              setOpen(false)
              setRange({ span, to: 0 })
            }}
          >
            {label}
          </button>
        ))}
        <button type="button" aria-pressed={range.to !== 0} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {range.to === 0 ? "Custom" : Format.range(range.to - range.span, range.to)}
        </button>
      </div>
      {isStored && (
        <label className="compare">
          <input type="checkbox" checked={compares} onChange={({ target }) => setCompares(target.checked)} />{" "}
          Compare with the day before
        </label>
      )}
      {isOpen && (
        <Custom
          range={range}
          onChoose={(chosen) => {
            setOpen(false)
            setRange(chosen)
          }}
        />
      )}
    </div>
  )
}
