"""Figures, each as a ratio or beside its baseline in the same run. Run: python -m tests.benchmarks"""
