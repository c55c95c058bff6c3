import { type ReactNode, useState } from "react"

/** A part of a page that unfolds. What is in it exists only while it is open. */
export const Section = ({ children, isPlain = false, summary }: {
  readonly summary: ReactNode
  readonly children: ReactNode
  /** Without a frame: part of something that has one. */
  readonly isPlain?: boolean
}) => {
  const [isOpen, setOpen] = useState(false)
  return (
    <details
      className={isPlain ? undefined : "section"}
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary>{summary}</summary>
      {isOpen && children}
    </details>
  )
}
