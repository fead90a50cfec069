"""The interfaces of other pose libraries, so that programs written for them run after changing one import."""
