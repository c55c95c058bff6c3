/** The visible rows of a long list, which renders no others. */
import { useEffect, useRef, useState } from "react"
import * as TopicList from "../core/topicList.ts"

/** Heights of a row in pixels, which the style sheet repeats: a line of a table, and a card on a phone, both with more lines of text. */
const heightOf = (isCard: boolean, lines: number): number => (isCard ? 132 : 48) + 16 * lines

const cards = matchMedia("(max-width: 800px)")

/**
 * Tracks the visible ones of `rows` rows while the user scrolls. `lines` is the number of lines of text in a row beside the usual ones.
 * `body` is for the element that has the rows.
 */
export const useVisible = (rows: number, lines: number) => {
  const body = useRef<HTMLTableSectionElement>(null)
  const [isCard, setIsCard] = useState(cards.matches)
  const rowHeight = heightOf(isCard, lines)
  // The first rendering has what is visible at most; the margin follows.
  const [range, setRange] = useState({ first: 0, end: Math.min(rows, Math.ceil(innerHeight / rowHeight)) })
  useEffect(() => {
    const change = () => setIsCard(cards.matches)
    cards.addEventListener("change", change)
    return () => cards.removeEventListener("change", change)
  }, [])
  useEffect(() => {
    let frame = 0
    const measure = () => {
      frame = 0
      const top = -(body.current?.getBoundingClientRect().top ?? 0)
      const next = TopicList.visibleRows(rows, rowHeight, top, innerHeight)
      setRange((range) => range.first === next.first && range.end === next.end ? range : next)
    }
    const schedule = () => {
      if (frame === 0) frame = requestAnimationFrame(measure)
    }
    // Not at once: the browser would have to compute the layout within the rendering of the list.
    schedule()
    addEventListener("scroll", schedule, { passive: true })
    addEventListener("resize", schedule)
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener("scroll", schedule)
      removeEventListener("resize", schedule)
    }
  }, [rows, rowHeight])
  return { body, rowHeight, first: Math.min(range.first, rows), end: Math.min(range.end, rows) }
}
