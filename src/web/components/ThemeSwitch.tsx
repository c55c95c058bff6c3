import { useEffect, useState } from "react"

const key = "nsqadmin-theme"
const themes = ["auto", "light", "dark"] as const
type Theme = typeof themes[number]

const stored = (): Theme => themes.find((theme) => theme === localStorage.getItem(key)) ?? "auto"

const apply = (theme: Theme): void => {
  document.documentElement.dataset["theme"] = theme
}

// Runs before the first rendering, so that the page does not flash in the other theme.
apply(stored())

/** A menu for the theme: light, dark, or the one of the system (`auto`, the default). The browser stores the choice. */
export const ThemeSwitch = () => {
  const [theme, setTheme] = useState(stored)
  useEffect(() => {
    apply(theme)
    localStorage.setItem(key, theme)
  }, [theme])
  return (
    <label className="theme">
      <span className="hidden">Theme</span>
      <select
        value={theme}
        onChange={({ target }) => setTheme(themes.find((theme) => theme === target.value) ?? "auto")}
      >
        {themes.map((theme) => <option key={theme}>{theme}</option>)}
      </select>
    </label>
  )
}
