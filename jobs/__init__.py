"""Durable work: queue tasks, the worker loop, schedules, Ray jobs."""
